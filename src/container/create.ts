/** `create`: a container whose process waits for `start` (runtime.md#create). */
import { oomFile } from '../cgroup/cgroup-paths.js';
import { indexOfOp } from '../plan/op-list.js';
import { changesStdioOwner } from '../plan/process/process-compile.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { OpFailed } from './failure/op-failed.js';
import {
  type CompiledBundle,
  compileLoaded,
  forSystemd,
  loadBundle,
  systemdScope,
  withoutTemplate,
  withoutTrees,
} from './launch/compile-bundle.js';
import type { CreateOptions } from './launch/container-options.js';
import { Launch } from './launch/launch.js';
import { newRecord } from './state/new-record.js';
import { type ContainerRecord, checkId } from './state/state-store.js';
import type { Terminal } from './stdio/foreground-terminal.js';
import { checkPreserved } from './stdio/preserved-descriptors.js';
import type { StdioOwners } from './stdio/stdio-owner.js';

/** @throws RuntError after the undo */
export async function create(o: CreateOptions): Promise<void> {
  checkPreserved(o);
  const { launch, compiled } = await launchContainer('create', o, true);
  await writeFiles(o, launch, compiled);
  launch.close();
}

interface LaunchedContainer {
  readonly launch: Launch;
  readonly compiled: CompiledBundle;
  readonly terminal: Terminal | undefined;
  /** Stdio that the process owns until it ends. */
  readonly stdioOwners: StdioOwners | undefined;
}

/** Compiles the bundle and performs the plan up to `start`. `foreground`: the command itself serves the terminal. */
export async function launchContainer(
  command: string,
  o: CreateOptions,
  startSocket: boolean,
  foreground = false,
): Promise<LaunchedContainer> {
  checkId(o.id);
  const systemd = o.cgroupManager === 'systemd' ? await systemdScope(o) : undefined;
  const loaded = loadBundle(o);
  if (host.turn) await host.turn();
  let compiled = compileLoaded(loaded, o, startSocket, systemd, foreground);
  if (host.turn) await host.turn();
  if (systemd) compiled = await forSystemd(compiled);
  const { spec } = compiled;
  // `process` is REQUIRED at the start (config.md#process), which for `run` is now.
  if (!spec.process && !startSocket) {
    throw new RuntError({
      code: 'ERR_SPEC_INVALID',
      message: `${command} ${o.id}: the config has no process`,
      pointer: '/process',
    });
  }
  let terminal: Terminal | undefined;
  const isTerminal = spec.process?.terminal === true;
  // The library's create has descriptors and a terminal: those are of the hooks.
  if (isTerminal && o.stdio && command === 'run') {
    throw (await import('./stdio/stdio-files.js')).terminalError(`run ${o.id}`, '/process/terminal');
  }
  if (isTerminal || o.consoleSocket !== undefined) {
    const { checkConsole, Terminal } = await import('./stdio/foreground-terminal.js');
    checkConsole(`${command} ${o.id}`, isTerminal, o.consoleSocket, foreground);
    if (foreground) terminal = Terminal.ofCaller(`${command} ${o.id}`);
  }
  let launch = launchOf(command, o, compiled);
  const stdioOwners =
    foreground && changesStdioOwner(compiled.plan)
      ? new (await import('./stdio/stdio-owner.js')).StdioOwners()
      : undefined;
  try {
    await explainFailure(command, o.id, compiled, async () => {
      try {
        await launch.perform();
      } catch (error) {
        const again = areTreesRefused(error) ? withoutTrees : needsHostMounts(error, compiled) && withoutTemplate;
        if (!again) throw error;
        compiled = again(compiled);
        launch = launchOf(command, o, compiled);
        await explainFailure(command, o.id, compiled, () => launch.perform());
      }
    });
  } catch (error) {
    stdioOwners?.restore();
    throw error;
  }
  return { launch, compiled, terminal, stdioOwners };
}

function launchOf(command: string, o: CreateOptions, compiled: CompiledBundle): Launch {
  const { spec, facts, plan, cgroups } = compiled;
  const record: ContainerRecord = {
    ...newRecord(o, compiled),
    ...(compiled.rdt && { rdt: compiled.rdt }),
    ...(o.noNewKeyring && { noNewKeyring: true as const }),
    ...(o.followed && { follows: true as const }),
  };
  return new Launch({
    command,
    root: o.root,
    record,
    spec,
    facts,
    plan,
    config: compiled.text,
    preserveFds: compiled.options.preserveFds,
    trace: o.trace !== undefined,
    warn: o.warn,
    ...(o.onDone && { onDone: o.onDone }),
    oomFile: oomFile(cgroups, o.watchesOom ? undefined : record.unit?.name),
    ...(o.stdio && { stdio: o.stdio }),
    ...(o.followed && { followed: o.followed }),
  });
}

/** Whether open_tree(2) is refused: to the runtime, or to runt-init before it has the container's ids. */
const areTreesRefused = (error: unknown): boolean =>
  error instanceof OpFailed &&
  ['openTree', 'cloneSource', 'rootfs'].includes(error.failed.op.op) &&
  error.failed.errno === E.ENOSYS;

/**
 * Whether an operation failed that may succeed in a copy of the host's mount namespace: it opens the sources one after
 * the other, whatever the limit of open files, and has the devices to bind where mknod(2) is refused. All of these come
 * before anything leaves the container, such as a terminal.
 */
const needsHostMounts = (error: unknown, { plan }: CompiledBundle): boolean =>
  error instanceof OpFailed &&
  ['openTree', 'mountTemplate', 'unshareMounts', 'mountBind', 'device'].includes(error.failed.op.op) &&
  indexOfOp(plan.ops, 'unshareMounts') >= 0;

/** Runs f and turns the facts of a failed operation into the user's error. */
export async function explainFailure(
  command: string,
  id: string,
  compiled: CompiledBundle,
  f: () => Promise<void>,
): Promise<void> {
  try {
    await f();
  } catch (error) {
    if (!(error instanceof OpFailed)) throw error;
    const { opFailureError } = await import('./failure/op-failure.js');
    throw opFailureError(command, id, error.failed, compiled.spec, compiled.facts);
  }
}

/** Writes the pid file and the trace, last in a create. If that fails, undoes the launch. */
export async function writeFiles(o: CreateOptions, launch: Launch, compiled: CompiledBundle): Promise<void> {
  try {
    if (o.pidFile !== undefined) {
      const r = native.replaceFile(AT_FDCWD, o.pidFile, 0o644, host.encode(String(launch.pid)));
      if (r < 0)
        throw new RuntError({
          code: 'ERR_IO',
          message: `create ${o.id}: write the pid file ${o.pidFile}`,
          path: o.pidFile,
          errno: -r,
        });
    }
    if (o.trace !== undefined) {
      const { writeTrace } = await import('./launch/trace-file.js');
      writeTrace(`create ${o.id}`, o.trace, compiled.plan, launch.spans, compiled.spans);
    }
  } catch (error) {
    await launch.undo();
    throw error;
  }
}
