/** `runt install`: makes engines run containers on runt, and undoes that. */

import { runProgram } from '../container/launch/program-output.js';
import { callerIds } from '../sys/caller-ids.js';
import { RuntError } from '../sys/error.js';
import { readBytes, readLink } from '../sys/fs.js';
import { host } from '../sys/host.js';
import { engineAnswerTime } from '../sys/waiting/time-limits.js';
import { type Engine, type EngineHost, type EngineName, isOlder, shimOf } from './engine.js';
import { engines, isThere, nodeEngine, usesSystemdCgroups, versionOf } from './found-engine.js';
import { HostTree } from './host-tree.js';
import { type Change, type Done, Ledger } from './ledger.js';
import { activeUnit, restart } from './service.js';
import { at, isTable, parseToml } from './toml-reader.js';
import { tryEngine } from './trial-run.js';

interface InstallOptions {
  /** The engines; those of the host when empty. */
  readonly engines: readonly EngineName[];
  /** The engine that the node's kubelet uses. */
  readonly kubernetes: boolean;
  /** Absolute path of the host's tree; `/` for this machine. */
  readonly hostRoot: string;
  /** Directory of the host to copy runt and its shims to; without it, the engines run this program where it is. */
  readonly binDirectory?: string;
  readonly dryRun: boolean;
  readonly undo: boolean;
  readonly restart: boolean;
  /** Run a container with each engine that runs. */
  readonly verify: boolean;
  /** Receives one line for each thing that was done or found. */
  readonly report: (line: string) => void;
}

/**
 * @throws RuntError ERR_INSTALL, ERR_INSTALL_CHANGED, ERR_ENGINE_CONFIG, ERR_ENGINE_VERSION, ERR_PROGRAM,
 * ERR_SYSTEMD
 */
export async function install(o: InstallOptions): Promise<void> {
  const tree = new HostTree(o.hostRoot);
  if (!tree.exists('/'))
    throw new RuntError({
      code: 'ERR_INSTALL',
      message: `find the host's files at ${o.hostRoot}: there is no directory`,
    });
  const directory = recordDirectory(tree);
  if (o.undo) return undo(o, tree, directory);
  const chosen = chooseEngines(o, tree);
  const program = programOf(o, tree);
  const plans: Planned[] = [];
  // Nothing is written unless all configs are understood.
  for (const engine of chosen) plans.push(await planned(o, tree, directory, program, engine));
  const own = Ledger.open(tree, directory, 'program');
  if (o.binDirectory !== undefined) await put(o, own, programChanges(program), 'runt');
  for (const plan of plans) await carryOut(o, plan);
}

/** An engine, and what is to be written for it. */
interface Planned {
  readonly engine: Engine;
  readonly host: EngineHost;
  readonly changes: readonly Change[];
  readonly notes: readonly string[];
  /** containerd's handlers before. */
  readonly handlers: readonly string[];
}

async function planned(
  o: InstallOptions,
  tree: HostTree,
  directory: string,
  program: string,
  engine: Engine,
): Promise<Planned> {
  const version = await versionOf(tree, engine);
  const home = homeOf(tree);
  const h: EngineHost = {
    tree,
    ledger: Ledger.open(tree, directory, engine.name),
    program,
    systemdCgroup: usesSystemdCgroups(tree),
    isNamed: o.kubernetes || o.engines.includes(engine.name),
    ...(version !== undefined && { version }),
    ...(home !== undefined && { home }),
  };
  const { changes, notes } = engine.plan(h);
  const all = [...shimLink(engine, h, o), ...changes];
  h.ledger.compare(all);
  const handlers = engine.name === 'containerd' ? await handlersOf(h) : [];
  return { engine, host: h, changes: all, notes, handlers };
}

async function carryOut(o: InstallOptions, { engine, host: h, changes, notes, handlers }: Planned): Promise<void> {
  const { name, title, reloads } = engine;
  o.report(`${title}${h.version === undefined ? '' : ` ${h.version}`}: ${notes.join('; ')}`);
  const done = await put(o, h.ledger, changes, title);
  if (o.dryRun) return;
  const isChanged = done.some(({ what }) => what !== 'unchanged');
  let unit: string | undefined;
  try {
    await check(engine, h, handlers);
    const [first] = engine.units(h.tree);
    if (o.restart && h.ledger.isPending) {
      unit = await activeUnit(h.tree, engine);
      if (unit !== undefined) await restart(h.tree, engine, unit);
      o.report(`${title}: ${unit === undefined ? 'no unit of it is active' : `restarted ${unit}`}`);
      await h.ledger.settle();
    } else if (first !== undefined && isChanged)
      o.report(`${title}: it reads this after: systemctl ${reloads ? 'reload' : 'restart'} ${first}`);
    if (o.verify && h.tree.isThisMachine) {
      const end = await tryEngine(name, h);
      o.report(`${title}: ${end.ran ? 'a container ran on runt' : `not verified: ${end.why}`}`);
    }
  } catch (error) {
    // An engine must not stay with a config that fails, and not stay down because of it.
    if (isChanged) {
      await h.ledger.revert();
      if (unit !== undefined) await restartAgain(o, h.tree, engine, unit);
    }
    throw error;
  }
}

/** Restarts an engine whose earlier config is back. The error that led here is the one to throw. */
async function restartAgain(o: InstallOptions, tree: HostTree, engine: Engine, unit: string): Promise<void> {
  try {
    await restart(tree, engine, unit);
    o.report(`${engine.title}: restarted ${unit} with the earlier config`);
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    o.report(`${engine.title}: its earlier config is back, and it does not run: ${error.message}`);
  }
}

/** Where the record is: root's, or an ordinary user's own. */
function recordDirectory(tree: HostTree): string {
  const home = homeOf(tree);
  return home === undefined ? '/var/lib/runt/install' : `${home}/.local/share/runt/install`;
}

function homeOf(tree: HostTree): string | undefined {
  if (callerIds().uid === 0 || !tree.isThisMachine) return undefined;
  const { HOME: home } = host.env;
  if (home?.startsWith('/')) return home;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: 'install: HOME is not set',
    hint: 'set HOME, or run the command as root',
  });
}

function chooseEngines(o: InstallOptions, tree: HostTree): readonly Engine[] {
  const named = engines.filter(({ name }) => o.engines.includes(name));
  if (o.kubernetes) {
    const node = nodeEngine(tree);
    if (!node) throw notFoundError('containerd or CRI-O', tree);
    if (!named.includes(node)) named.push(node);
  }
  for (const engine of named) if (!isThere(tree, engine)) throw notFoundError(engine.title, tree);
  const found = named.length > 0 ? named : engines.filter((engine) => isThere(tree, engine));
  if (found.length === 0) throw notFoundError('an engine', tree);
  if (callerIds().uid === 0 || !tree.isThisMachine) return found;
  const other = found.find(({ name }) => name !== 'podman');
  if (!other) return found;
  if (named.length === 0) return found.filter(({ name }) => name === 'podman');
  throw new RuntError({
    code: 'ERR_USAGE',
    message: `install: only root configures ${other.title}`,
    hint: 'run the command as root',
  });
}

const notFoundError = (what: string, tree: HostTree): RuntError =>
  new RuntError({
    code: 'ERR_INSTALL',
    message: `find ${what}: ${tree.isThisMachine ? 'this machine' : tree.root} has neither its program nor its config`,
    hint: 'install the engine first, or name the root of the host with --host-root DIR',
  });

/** Path of runt, as the engine sees it. */
const programOf = (o: InstallOptions, tree: HostTree): string =>
  o.binDirectory === undefined ? ownProgram() : `${tree.resolve(o.binDirectory)}/runt`;

/** Path of this program. @throws RuntError ERR_UNSUPPORTED under Node.js */
function ownProgram(): string {
  const own = readLink('/proc/self/exe');
  if (host.name === 'quickjs') return own;
  throw new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `install: engines need the static program, and this is ${own}`,
    hint: 'run dist/runt, or the program of a package',
  });
}

/** The program and the shims' links to it. */
function programChanges(program: string): Change[] {
  ownProgram();
  const directory = program.slice(0, program.lastIndexOf('/'));
  return [
    { path: program, content: readBytes('/proc/self/exe'), mode: 0o755 },
    ...['containerd-shim-runt-v1', 'containerd-shim-runt-grpc-v1'].map((name) => ({
      path: `${directory}/${name}`,
      content: { link: 'runt' },
    })),
  ];
}

/** The shim's link, where runt stays where it is and was put there without one. */
function shimLink(engine: Engine, { tree, program }: EngineHost, o: InstallOptions): Change[] {
  const path = shimOf(program);
  if (engine.name !== 'containerd' || o.binDirectory !== undefined || tree.exists(path)) return [];
  return [{ path, content: { link: program.slice(program.lastIndexOf('/') + 1) } }];
}

async function put(o: InstallOptions, ledger: Ledger, changes: readonly Change[], title: string): Promise<Done[]> {
  const done = o.dryRun ? ledger.compare(changes) : await ledger.apply(changes);
  for (const [i, { path, what }] of done.entries()) {
    o.report(`${title}: ${o.dryRun && what !== 'unchanged' ? `would be ${what}` : what}: ${path}`);
    const { content } = changes[i]!;
    if (o.dryRun && what !== 'unchanged' && content instanceof Uint8Array && content.length < 1 << 16)
      for (const line of host.decodeRaw(content, content.length).trimEnd().split('\n')) o.report(`    ${line}`);
  }
  return done;
}

async function undo(o: InstallOptions, tree: HostTree, directory: string): Promise<void> {
  const wanted = [...o.engines, ...(o.kubernetes ? (['containerd', 'crio'] as const) : [])];
  const open = (name: string, title: string, engine?: Engine) => ({
    ledger: Ledger.open(tree, directory, name),
    title,
    engine,
  });
  const installed = engines.map((e) => open(e.name, e.title, e)).filter(({ ledger }) => !ledger.isEmpty);
  const chosen = installed.filter(({ engine }) => wanted.length === 0 || wanted.includes(engine!.name));
  const program = open('program', 'runt');
  // The program goes last, and only if no engine is left that runs it.
  const isLast = chosen.length === installed.length && !program.ledger.isEmpty;
  const those = [...chosen, ...(isLast ? [program] : [])];
  // Nothing is undone unless all can be.
  for (const { ledger } of those) ledger.compareUndo();
  for (const { ledger, title, engine } of those) {
    const done = o.dryRun ? ledger.compareUndo() : await ledger.restore();
    for (const { path, what } of done) o.report(`${title}: ${o.dryRun ? `would be ${what}` : what}: ${path}`);
    if (o.dryRun) continue;
    if (engine && o.restart && ledger.isPending) {
      const unit = await activeUnit(tree, engine);
      if (unit !== undefined) {
        await restart(tree, engine, unit);
        o.report(`${title}: restarted ${unit}`);
      }
    }
    // The record stays until the engine has read the files: a call that was killed before that is completed by another.
    await ledger.forget();
  }
  for (const name of o.dryRun ? [] : [...engines.map((e) => e.name), 'program'])
    await Ledger.open(tree, directory, name).clear();
  if (those.length === 0) o.report('nothing to undo: there is no record of an install');
}

/** The handlers of containerd's CRI plugin, as its own program reads the config; none if it cannot be run. */
async function handlersOf({ tree }: EngineHost): Promise<string[]> {
  const path = tree.isThisMachine ? tree.program('containerd') : undefined;
  if (path === undefined) return [];
  const { status, output } = await runProgram([path, 'config', 'dump'], { timeout: engineAnswerTime });
  if (status !== 0)
    throw new RuntError({
      code: 'ERR_ENGINE_CONFIG',
      message: `containerd config dump: ${output.trim().slice(-500)}`,
      path,
      hint: 'correct the config: containerd does not start with it either',
    });
  const from = output.search(/^(?:version|disabled_plugins|imports|root) *=/m);
  const dump = parseToml(output.slice(Math.max(0, from)), 'the output of containerd config dump');
  return ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime'].flatMap((plugin) => {
    const runtimes = at(dump, 'plugins', plugin, 'containerd', 'runtimes');
    return isTable(runtimes) ? Object.keys(runtimes) : [];
  });
}

/** Has the engine's own program read what was written. @throws RuntError ERR_ENGINE_CONFIG, ERR_PROGRAM */
async function check(engine: Engine, h: EngineHost, before: readonly string[]): Promise<void> {
  const path = h.tree.isThisMachine ? h.tree.program(engine.binary) : undefined;
  if (path === undefined) return;
  if (engine.name === 'containerd') {
    const after = await handlersOf(h);
    const lost = [...before, 'runt'].filter((name) => !after.includes(name));
    if (after.length === 0 || lost.length === 0) return;
    throw new RuntError({
      code: 'ERR_ENGINE_CONFIG',
      message: `containerd would have no handler ${lost.join(', ')} with what was written; the earlier files are back`,
      path,
      hint: 'add the handler by hand, as docs/engines/kubernetes.md shows it',
    });
  }
  if (engine.name !== 'docker' || h.version === undefined || isOlder(h.version, '23.0')) return;
  const { status, output } = await runProgram([path, '--validate', '--config-file', '/etc/docker/daemon.json'], {
    timeout: engineAnswerTime,
  });
  if (status === 0) return;
  const hint = 'correct the config: the earlier files are back';
  throw new RuntError({
    code: 'ERR_ENGINE_CONFIG',
    message: `dockerd --validate: ${output.trim().slice(-500)}`,
    path,
    hint,
  });
}
