/** CRI-O: a runtime in a file of crio.conf.d (crio.conf.d(5)). */
import { host } from '../sys/host.js';
import { configError, type Engine, type EngineEntry, mark, quoted } from './engine.js';
import type { HostTree } from './host-tree.js';
import { at, isTable, parseToml } from './toml-reader.js';

const directory = '/etc/crio/crio.conf.d';
const ownPath = `${directory}/10-runt.conf`;

export const crio: Engine = {
  name: 'crio',
  title: 'CRI-O',
  binary: 'crio',
  oldest: '1.24',
  units: () => ['crio.service'],
  reloads: false,
  isConfigured: (tree) => tree.exists('/etc/crio'),
  plan({ tree, program }) {
    for (const { file, program: other } of entries(tree)) {
      if (tree.resolve(file) === tree.resolve(ownPath)) continue;
      if (other === program) return { changes: [], notes: [`${file} names ${program} already`] };
      throw configError(
        file,
        'it has a runtime "runt" that names another program',
        'remove its table, then run the command again',
      );
    }
    const content = `${mark}
[crio.runtime.runtimes.runt]
runtime_path = ${quoted(program)}
runtime_type = "oci"
runtime_root = "/run/runt"
`;
    return {
      changes: [{ path: tree.resolve(ownPath), content: host.encode(content), mark }],
      notes: ['cgroups: as CRI-O has it'],
    };
  },
  entries,
};

function entries(tree: HostTree): EngineEntry[] {
  const files = ['/etc/crio/crio.conf', ...tree.list(directory).map((name) => `${directory}/${name}`)];
  return files.flatMap((file) => {
    const text = tree.text(file);
    const own = text === undefined ? undefined : at(parseToml(text, file), 'crio', 'runtime', 'runtimes', 'runt');
    return isTable(own) && typeof own.runtime_path === 'string' ? [{ file, program: own.runtime_path }] : [];
  });
}
