/** containerd: a handler of its CRI plugin, in config.toml, in a file that this imports, or in a template of k3s. */
import { RuntError } from '../sys/error.js';
import { host } from '../sys/host.js';
import {
  configError,
  type Engine,
  type EngineEntry,
  type EngineHost,
  type EnginePlan,
  mark,
  quoted,
  shimOf,
} from './engine.js';
import type { HostTree } from './host-tree.js';
import { at, isTable, parseToml, type TomlTable } from './toml-reader.js';

const configPath = '/etc/containerd/config.toml';
/** The CRI plugin's name, by version of the config. */
const plugins: Readonly<Record<number, string>> = { 2: 'io.containerd.grpc.v1.cri', 3: 'io.containerd.cri.v1.runtime' };
/** Distributions of Kubernetes that write containerd's config at each start, from a template: their units. */
const generated = [
  { directory: '/var/lib/rancher/k3s/agent/etc/containerd', units: ['k3s.service', 'k3s-agent.service'] },
  { directory: '/var/lib/rancher/rke2/agent/etc/containerd', units: ['rke2-server.service', 'rke2-agent.service'] },
] as const;

export const containerd: Engine = {
  name: 'containerd',
  title: 'containerd',
  binary: 'containerd',
  oldest: '1.6',
  // Beside k3s a host may have a containerd that is not its own.
  units: (tree) => generatedIn(tree)?.units ?? ['containerd.service'],
  reloads: false,
  isConfigured: (tree) => tree.exists(configPath) || directoryOf(tree) !== undefined,
  plan(h) {
    const directory = directoryOf(h.tree);
    return directory === undefined ? configPlan(h) : templatePlan(h, directory);
  },
  entries(tree) {
    const directory = directoryOf(tree);
    const path = directory === undefined ? configPath : `${directory}/config.toml`;
    return [path, ...imported(tree, path)].flatMap((file) => entriesIn(tree, file));
  },
};

const generatedIn = (tree: HostTree) => generated.find(({ directory }) => tree.exists(directory));
const directoryOf = (tree: HostTree): string | undefined => generatedIn(tree)?.directory;

function entriesIn(tree: HostTree, file: string): EngineEntry[] {
  const text = tree.text(file);
  if (text === undefined) return [];
  const config = parseToml(text, file);
  return Object.values(plugins).flatMap((plugin) => {
    const runtimes = at(config, 'plugins', plugin, 'containerd', 'runtimes');
    if (!isTable(runtimes)) return [];
    return Object.entries(runtimes).flatMap(([name, handler]) => {
      if (!isTable(handler)) return [];
      const options = isTable(handler.options) ? handler.options : {};
      const programs = [handler.runtime_path, options.BinaryName].filter(
        (p) => typeof p === 'string' && p !== '',
      ) as string[];
      return programs
        .filter((p) => name === 'runt' || /\/(?:runt|containerd-shim-runt[\w-]*)$/.test(p))
        .map((program) => ({ file, program }));
    });
  });
}

/** Files that the config imports, by its patterns with one `*` in the name. */
function imported(tree: HostTree, path: string): string[] {
  const text = tree.text(path);
  if (text === undefined) return [];
  const patterns = at(parseToml(text, path), 'imports');
  if (!Array.isArray(patterns)) return [];
  return patterns.flatMap((pattern) => {
    if (typeof pattern !== 'string') return [];
    const [, directory = '', start = '', end = ''] = /^(\/.*)\/([^/*]*)\*([^/*]*)$/.exec(pattern) ?? [];
    if (directory === '') return pattern.includes('*') ? [] : [pattern];
    const names = tree
      .list(directory)
      .filter((n) => n.startsWith(start) && n.endsWith(end) && n.length >= start.length + end.length);
    return names.map((name) => `${directory}/${name}`);
  });
}

/** The directory of a pattern `DIR/*.toml` among the imports; undefined if there is none. */
function dropInDirectory(config: TomlTable): string | undefined {
  const patterns = config.imports;
  if (!Array.isArray(patterns)) return undefined;
  for (const pattern of patterns) {
    const directory = typeof pattern === 'string' ? /^(\/[^*?[]+)\/\*\.toml$/.exec(pattern)?.[1] : undefined;
    if (directory !== undefined) return directory;
  }
  return undefined;
}

function configPlan({ tree, ledger, program, version, systemdCgroup, isNamed }: EngineHost): EnginePlan {
  const base = ledger.base(configPath);
  const text = base === undefined ? undefined : host.decodeRaw(base, base.length);
  const config = parseToml(text ?? '', configPath);
  const form =
    text === undefined ? (version !== undefined && Number(version.split('.')[0]) >= 2 ? 3 : 2) : config.version;
  const plugin = typeof form === 'number' ? plugins[form] : undefined;
  if (plugin === undefined) {
    const found =
      form === undefined ? 'it has no version, which is version 1' : `version ${JSON.stringify(form)} is not known`;
    const hint =
      form === undefined || form === 1
        ? 'run "containerd config migrate", and write its output there: runt knows the versions 2 and 3'
        : 'add the handler by hand, as docs/engines/kubernetes.md shows it: runt knows the versions 2 and 3';
    throw configError(configPath, found, hint);
  }
  const disabled = config.disabled_plugins;
  if (Array.isArray(disabled) && disabled.some((name) => name === 'cri' || name === plugin)) {
    // Docker's packages of containerd come so.
    if (!isNamed) return { changes: [], notes: ['its plugin of CRI is disabled, so it has no handlers'] };
    throw configError(
      configPath,
      'disabled_plugins has the plugin of CRI',
      'remove "cri" from disabled_plugins: handlers are settings of that plugin; "ctr run --runtime" needs none',
    );
  }
  const runtimes = at(config, 'plugins', plugin, 'containerd', 'runtimes');
  const others = isTable(runtimes) ? runtimes : undefined;
  const shim = shimOf(program);
  const own = others?.runt;
  if (own !== undefined) {
    if (isTable(own) && own.runtime_path === shim)
      return { changes: [], notes: [`${configPath} names ${shim} already`] };
    throw configError(
      configPath,
      'it has a handler "runt" that names another program',
      'remove its tables, then run the command again',
    );
  }
  const inherited = at(others ?? {}, 'runc', 'options', 'SystemdCgroup');
  const systemd = typeof inherited === 'boolean' ? inherited : systemdCgroup;
  const tables = handlerTables(plugin, shim, systemd);
  const real = tree.resolve(configPath);
  const note = `cgroups: ${systemd ? 'systemd' : 'cgroupfs'}${typeof inherited === 'boolean' ? ', as the handler runc has it' : ''}`;
  // Version 2 replaces a plugin's whole table by that of an imported file.
  const directory = form === 3 ? dropInDirectory(config) : undefined;
  if (directory !== undefined) {
    const content = host.encode(`${mark}\nversion = 3\n${tables}`);
    return { changes: [{ path: tree.resolve(`${directory}/runt.toml`), content, mark }], notes: [note] };
  }
  // containerd drops its built-in handler for a config of version 2 that names one.
  const runc =
    form === 2 && others?.runc === undefined
      ? `[plugins."${plugin}".containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n`
      : '';
  const before = text === undefined ? `version = ${form}\n` : text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const all = `${before}${mark}\n${runc}${tables}`;
  checkAddition(all, plugin);
  return { changes: [{ path: real, content: host.encode(all) }], notes: [note] };
}

/** @throws RuntError ERR_ENGINE_CONFIG for a config whose tables cannot be added to: inline ones, or arrays */
function checkAddition(text: string, plugin: string): void {
  let problem = '"plugins" is not a table';
  try {
    if (at(parseToml(text, configPath), 'plugins', plugin, 'containerd', 'runtimes', 'runt') !== undefined) return;
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    problem = error.message;
  }
  throw configError(
    configPath,
    `a handler cannot be added after its last line: ${problem}`,
    'write "plugins" and what is in it as tables, [plugins.NAME]: TOML does not let others add to inline tables',
  );
}

const handlerTables = (plugin: string, shim: string, systemd: boolean): string =>
  `[plugins."${plugin}".containerd.runtimes.runt]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = ${quoted(shim)}
[plugins."${plugin}".containerd.runtimes.runt.options]
  SystemdCgroup = ${systemd}
`;

/** https://docs.k3s.io/advanced#configuring-containerd, https://docs.rke2.io/advanced#configuring-containerd */
function templatePlan({ tree, ledger, program, systemdCgroup }: EngineHost, directory: string): EnginePlan {
  const written = tree.text(`${directory}/config.toml`);
  const config = written === undefined ? undefined : parseToml(written, `${directory}/config.toml`);
  const form = config === undefined ? 3 : config.version;
  const plugin = typeof form === 'number' ? plugins[form] : undefined;
  if (plugin === undefined)
    throw configError(
      `${directory}/config.toml`,
      `version ${JSON.stringify(form)} is not known`,
      'use a runt that knows it: this one knows the versions 2 and 3',
    );
  const path = `${directory}/${form === 3 ? 'config-v3.toml.tmpl' : 'config.toml.tmpl'}`;
  const base = ledger.base(path);
  const text = base === undefined ? '{{ template "base" . }}\n' : host.decodeRaw(base, base.length);
  if (/runtimes\.(?:"runt"|'runt'|runt)[\].]/.test(text))
    throw configError(path, 'it has a handler "runt" already', 'remove its tables, then run the command again');
  const inherited = at(config ?? {}, 'plugins', plugin, 'containerd', 'runtimes', 'runc', 'options', 'SystemdCgroup');
  const systemd = typeof inherited === 'boolean' ? inherited : systemdCgroup;
  const content = `${text.endsWith('\n') ? text : `${text}\n`}${mark}\n${handlerTables(plugin, shimOf(program), systemd)}`;
  return {
    changes: [{ path: tree.resolve(path), content: host.encode(content) }],
    notes: [
      `cgroups: ${systemd ? 'systemd' : 'cgroupfs'}`,
      'the template takes effect at the next start of k3s or RKE2',
    ],
  };
}
