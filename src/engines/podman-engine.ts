/** podman: a runtime in a file of containers.conf.d, of root or of an ordinary user (containers.conf(5)). */
import { host } from '../sys/host.js';
import { configError, type Engine, type EngineEntry, mark, quoted } from './engine.js';
import type { HostTree } from './host-tree.js';
import { at, parseToml } from './toml-reader.js';

const directoryOf = (home?: string): string =>
  home === undefined ? '/etc/containers/containers.conf.d' : `${home}/.config/containers/containers.conf.d`;

/** Files in the order in which podman reads them; the later one counts. */
function files(tree: HostTree, home?: string): string[] {
  const directories = ['/etc/containers/containers.conf.d', ...(home === undefined ? [] : [directoryOf(home)])];
  const main = ['/usr/share/containers/containers.conf', '/etc/containers/containers.conf'];
  const own = home === undefined ? [] : [`${home}/.config/containers/containers.conf`];
  return [...main, ...own, ...directories.flatMap((d) => tree.list(d).map((name) => `${d}/${name}`))].filter(
    (path) => path.endsWith('.conf') && tree.exists(path),
  );
}

export const podman: Engine = {
  name: 'podman',
  title: 'podman',
  binary: 'podman',
  oldest: '4.3',
  units: () => [],
  reloads: false,
  isConfigured: (tree) => tree.exists('/etc/containers') || tree.exists('/usr/share/containers'),
  plan({ tree, program, home }) {
    const path = tree.resolve(`${directoryOf(home)}/runt.conf`);
    // Lists of a later file replace those of an earlier one.
    const lists: Record<string, string[]> = {
      runtime_supports_json: ['crun', 'runc', 'kata', 'runsc', 'youki', 'krun'],
      runtime_supports_nocgroup: ['crun', 'krun'],
    };
    for (const file of files(tree, home)) {
      if (tree.resolve(file) === path) continue;
      const config = parseToml(tree.text(file) ?? '', file);
      for (const name of Object.keys(lists)) {
        const list = at(config, 'engine', name);
        if (Array.isArray(list)) lists[name] = list.filter((item) => typeof item === 'string') as string[];
      }
      const own = at(config, 'engine', 'runtimes', 'runt');
      if (own === undefined) continue;
      if (Array.isArray(own) && own[0] === program) return { changes: [], notes: [`${file} names ${program} already`] };
      throw configError(
        file,
        'it has a runtime "runt" that names another program',
        'remove its line, then run the command again',
      );
    }
    const line = (name: string): string =>
      `${name} = [${[...new Set([...lists[name]!, 'runt'])].map(quoted).join(',')}]`;
    const content = `${mark}
[engine]
${line('runtime_supports_json')}
${line('runtime_supports_nocgroup')}
[engine.runtimes]
runt = [${quoted(program)}]
`;
    return { changes: [{ path, content: host.encode(content), mark }], notes: ['cgroups: as podman has it'] };
  },
  entries(tree, home): EngineEntry[] {
    return files(tree, home).flatMap((file) => {
      const own = at(parseToml(tree.text(file) ?? '', file), 'engine', 'runtimes', 'runt');
      return Array.isArray(own) && typeof own[0] === 'string' ? [{ file, program: own[0] }] : [];
    });
  },
};
