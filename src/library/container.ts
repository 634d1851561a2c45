/** One container, for scripts. Node.js only. */

import type { Readable, Writable } from 'node:stream';
import { readCgroupFacts } from '../cgroup/cgroup-facts.js';
import { readStats } from '../cgroup/stats/cgroup-stats.js';
import { withFiniteLimits } from '../cgroup/stats/finite-limits.js';
import type { Stats } from '../cgroup/stats/stats-types.js';
import { create } from '../container/create.js';
import { remove } from '../container/delete.js';
import { startExec } from '../container/exec.js';
import { kill } from '../container/kill.js';
import type { RootlessMode } from '../container/launch/read-host-facts.js';
import { pause, resume } from '../container/pause.js';
import { listPids } from '../container/ps.js';
import { start } from '../container/start.js';
import { cancelledError, causeOf } from '../container/state/cancellation.js';
import { awaitChild, type ExitRecord, exitRecord } from '../container/state/exit-records.js';
import { type ContainerRecord, loadRecord } from '../container/state/state-store.js';
import { type ContainerState, state } from '../container/state.js';
import { type ContainerEvent, events } from '../container/stats-stream.js';
import { AwaitedEnd, awaitStop, stop } from '../container/stop.js';
import { update } from '../container/update/update.js';
import { wait, waitForExec } from '../container/wait.js';
import type { AnnotationPolicy } from '../plan/annotation-policy.js';
import type { Resources } from '../spec/config-types.js';
import { toJson } from '../spec/json/exact-json.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { signalNumber } from '../sys/kernel-names.js';
import { SIGKILL } from '../sys/linux.js';
import { timestamp } from '../sys/timestamp.js';
import { statsInterval } from '../sys/waiting/time-limits.js';
import { checkOptions, checkWords, type OptionTypes } from './call-checks.js';
import { type EndOptions, endedBy, Run } from './process-run.js';
import { openStreams, type StdioOption, type Streams } from './process-streams.js';
import { ConsoleSocket, type TerminalStream } from './terminal-stream.js';

export type { ContainerState } from '../container/state.js';
export { type EndOptions, type Output, Run } from './process-run.js';
export type { StdioOption } from './process-streams.js';
export type { TerminalStream } from './terminal-stream.js';

const noStreams = ['ignore', 'ignore', 'ignore'] as const;

const containerTypes: OptionTypes = {
  stdio: 'stdio',
  init: 'boolean',
  noPivot: 'boolean',
  noNewKeyring: 'boolean',
  systemdCgroup: 'boolean',
  unsafeAnnotations: 'string',
  hookTimeout: 'number',
  onWarning: 'function',
};
const endTypes: OptionTypes = { signal: 'signal', timeout: 'number', tty: 'boolean' };
const runTypes: OptionTypes = { ...containerTypes, ...endTypes, keep: 'boolean' };
const execTypes: OptionTypes = {
  ...endTypes,
  stdio: 'stdio',
  env: 'list',
  cwd: 'string',
  user: 'string',
  additionalGids: 'numbers',
  capabilities: 'list',
  unsafeAnnotations: 'string',
};

export interface ContainerOptions {
  /** Descriptors 0, 1 and 2 of the process; `inherit` when absent. */
  stdio?: readonly [stdin: StdioOption, stdout: StdioOption, stderr: StdioOption];
  /** Let the first process reap orphans and forward signals to the program, its child. */
  init?: boolean;
  /** Use MS_MOVE and chroot instead of pivot_root. */
  noPivot?: boolean;
  /** Keep the caller's session keyring. */
  noNewKeyring?: boolean;
  /** Let systemd manage the cgroup (docs/systemd.md). */
  systemdCgroup?: boolean;
  /** Policy for annotations that weaken a container (docs/cli.md); when absent RUNT_UNSAFE_ANNOTATIONS, else `warn`. */
  unsafeAnnotations?: AnnotationPolicy;
  /** Timeout in seconds of hooks without `timeout`, 0 for none; when absent RUNT_HOOK_TIMEOUT, else 600. */
  hookTimeout?: number;
  /** Receives one sentence for each value of the config that runt ignores. */
  onWarning?: (sentence: string) => void;
}

/** A process with a terminal. */
interface TerminalOptions {
  /** The process has a terminal, `terminal` of the result. For a container, its config must have process.terminal. */
  tty?: boolean;
}

export interface RunOptions extends ContainerOptions, EndOptions, TerminalOptions {
  /** Keep the stopped container; otherwise it is deleted before `exit` resolves. */
  keep?: boolean;
}

/** A started process whose stdio is three pipes: that of `run` and `exec` without `stdio`. */
export interface PipedRun extends Run {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** Options that leave the stdio as it is by default. */
export type Piped<O> = O & { stdio?: undefined };

export interface ExecOptions extends EndOptions, TerminalOptions {
  /** Descriptors 0, 1 and 2 of the process; three pipes when absent. */
  stdio?: readonly [stdin: StdioOption, stdout: StdioOption, stderr: StdioOption];
  /** `NAME=value`, in addition to the container's. */
  env?: readonly string[];
  cwd?: string;
  /** `UID[:GID]`, or names in the container's passwd and group files. */
  user?: string;
  additionalGids?: readonly number[];
  /** Capabilities in addition to the container's. */
  capabilities?: readonly string[];
  /** Same as in ContainerOptions; only `deny` has an effect, because create has warned. */
  unsafeAnnotations?: AnnotationPolicy;
}

export class Container {
  /** Our ends of the pipes that `create` was asked for; else null. */
  stdin: Writable | null = null;
  stdout: Readable | null = null;
  stderr: Readable | null = null;

  constructor(
    /** Directory of the state of all containers. */
    readonly root: string,
    readonly id: string,
    private readonly rootless: RootlessMode,
  ) {}

  /** See `Runtime.create`. */
  async create(bundle: string, options: ContainerOptions = {}): Promise<void> {
    checkOptions('create', options, containerTypes);
    const streams = await this.prepare(bundle, options, ['inherit', 'inherit', 'inherit']);
    streams.closeProcessEnds();
    this.stdin = streams.stdin;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
  }

  /** See `Runtime.run`. */
  run(bundle: string, options?: Piped<RunOptions>): Promise<PipedRun>;
  run(bundle: string, options: RunOptions): Promise<Run>;
  async run(bundle: string, options: RunOptions = {}): Promise<Run> {
    checkOptions('run', options, runTypes);
    options.signal?.throwIfAborted();
    const console = options.tty ? new ConsoleSocket() : undefined;
    let terminal: TerminalStream | undefined;
    let streams: Streams;
    try {
      streams = await this.prepare(bundle, options, console ? noStreams : ['pipe', 'pipe', 'pipe'], console?.path);
      terminal = console?.receive();
    } finally {
      console?.close();
    }
    const what = `run ${this.id}`;
    let record: ContainerRecord | undefined;
    let startedAt: string;
    try {
      record = loadRecord(this.root, this.id);
      await this.start();
      startedAt = timestamp(native.realtime());
    } catch (error) {
      streams.abandon();
      terminal?.destroy();
      const cause = await causeOf(what, this.root, record ?? { id: this.id }, error);
      // Another container may have its id by now.
      if (cause === error) await this.delete({ force: true });
      throw cause;
    }
    streams.closeProcessEnds();
    const exit = this.exitOfRun(what, record, startedAt, options.keep === true);
    const end = endedBy(what, options, exit, () => this.kill('KILL'));
    return new Run(record.pid, streams, end, terminal);
  }

  /** Waits for the end, and deletes the container. @throws RuntError ERR_CANCELLED, ERR_STATUS_LOST */
  private async exitOfRun(
    what: string,
    record: ContainerRecord,
    startedAt: string,
    keep: boolean,
  ): Promise<ExitRecord> {
    let exit: ExitRecord;
    try {
      exit = await this.wait();
    } catch (error) {
      if (error instanceof RuntError && error.code === 'ERR_CANCELLED') throw cancelledError(what, error.cause);
      throw await causeOf(what, this.root, record, error);
    }
    if (exit.reason === 'cancelled') throw cancelledError(what);
    if (!keep) await this.delete({ force: true });
    return { ...exit, startedAt };
  }

  private async prepare(
    bundle: string,
    o: ContainerOptions,
    defaultStdio: Required<ContainerOptions>['stdio'],
    consoleSocket?: string,
  ): Promise<Streams> {
    const streams = openStreams(o.stdio ?? defaultStdio);
    try {
      await create({
        root: this.root,
        id: this.id,
        bundle,
        supervise: true,
        stdio: streams.stdio,
        ...(consoleSocket !== undefined && { consoleSocket }),
        ...(o.systemdCgroup && { cgroupManager: 'systemd' as const }),
        ...(o.init && { init: true }),
        noPivot: o.noPivot === true,
        noNewKeyring: o.noNewKeyring === true,
        rootless: this.rootless,
        ...(o.unsafeAnnotations && { unsafeAnnotations: o.unsafeAnnotations }),
        ...(o.hookTimeout !== undefined && { hookTimeout: o.hookTimeout }),
        warn: o.onWarning ?? (() => {}),
      });
      return streams;
    } catch (error) {
      streams.abandon();
      throw error;
    }
  }

  /** Executes the process of a created container. @throws RuntError ERR_CONTAINER_STATUS, ERR_EXEC … */
  start(): Promise<void> {
    return start({ root: this.root, id: this.id });
  }

  /** @throws RuntError ERR_NO_CONTAINER … */
  async state(): Promise<ContainerState> {
    return state({ root: this.root, id: this.id });
  }

  /** Waits until it ends, at most `timeout` ms. @throws RuntError ERR_NOT_SUPERVISED, ERR_STATUS_LOST, ERR_TIMEOUT */
  wait(options: { timeout?: number } = {}): Promise<ExitRecord> {
    const { timeout } = options;
    return wait({ root: this.root, id: this.id, ...(timeout !== undefined && { timeout }) });
  }

  /**
   * Ends it: its stop signal, and KILL after `timeout` ms (10 s when absent). Resolves when it has ended. The signal is
   * that of the annotation `org.opencontainers.image.stopSignal`, else TERM, unless it is given here.
   * @throws RuntError ERR_NO_CONTAINER, ERR_SPEC_VALUE for the annotation, ERR_USAGE for an unknown signal
   */
  async stop(options: { timeout?: number; signal?: number | string } = {}): Promise<void> {
    const { timeout, signal } = options;
    await stop({
      root: this.root,
      id: this.id,
      ...(timeout !== undefined && { timeout }),
      ...(signal !== undefined && { signal: signalOf(signal) }),
    });
  }

  /**
   * Signals its process or, with `all`, every process. The signal is a number, or a name with or without SIG. With
   * `wait` it resolves when the container has ended.
   * @throws RuntError ERR_USAGE for an unknown signal, ERR_CONTAINER_STATUS
   */
  async kill(signal: number | string = 'TERM', options: { all?: boolean; wait?: boolean } = {}): Promise<void> {
    const { root, id } = this;
    const number = signalOf(signal);
    const end = options.wait ? new AwaitedEnd(root, loadRecord(root, id)) : undefined;
    try {
      await kill({ root, id, signal: number, all: options.all === true });
      await end?.wait();
    } finally {
      end?.close();
    }
  }

  /** Removes it. `force` kills it first, and ignores a missing container; `wait` waits until it has ended. */
  async delete(options: { force?: boolean; wait?: boolean } = {}): Promise<void> {
    if (options.wait && !options.force) await awaitStop(this.root, this.id);
    await remove({ root: this.root, id: this.id, force: options.force === true });
  }

  /** `await using container = await runtime.create(…)`: kills and removes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.delete({ force: true });
  }

  /** Freezes all its processes. */
  pause(): Promise<void> {
    return pause({ root: this.root, id: this.id });
  }

  resume(): Promise<void> {
    return resume({ root: this.root, id: this.id });
  }

  /** Sets new limits; absent ones do not change. If one is refused, none changes. */
  update(resources: Resources): Promise<void> {
    return update({ root: this.root, id: this.id, resources: toJson(resources), document: 'resources' });
  }

  /** Host pids of all its processes. */
  async pids(): Promise<number[]> {
    return listPids({ root: this.root, id: this.id });
  }

  /** Current statistics of its cgroups. Without a limit, the limit is absent. */
  async stats(): Promise<Stats> {
    const { cgroups } = loadRecord(this.root, this.id);
    return withFiniteLimits(readStats(readCgroupFacts(), cgroups));
  }

  /** Statistics every `interval` ms, and each OOM kill, until the container stops. */
  async *events(options: { interval?: number } = {}): AsyncIterable<ContainerEvent> {
    for await (const event of events({ root: this.root, id: this.id, interval: options.interval ?? statsInterval }))
      yield event.type === 'stats' ? { ...event, stats: withFiniteLimits(event.stats) } : event;
  }

  /** Executes another process in it. @throws RuntError ERR_CONTAINER_STATUS, ERR_EXEC … */
  exec(args: readonly string[], options?: Piped<ExecOptions>): Promise<PipedRun>;
  exec(args: readonly string[], options: ExecOptions): Promise<Run>;
  async exec(args: readonly string[], options: ExecOptions = {}): Promise<Run> {
    const { root, id } = this;
    checkWords('exec', args);
    checkOptions('exec', options, execTypes);
    options.signal?.throwIfAborted();
    const console = options.tty ? new ConsoleSocket() : undefined;
    const streams = openStreams(options.stdio ?? (console ? noStreams : ['pipe', 'pipe', 'pipe']));
    try {
      const { launch } = await startExec({
        root,
        id,
        args: [...args],
        env: [...(options.env ?? [])],
        ...(options.cwd !== undefined && { cwd: options.cwd }),
        ...(options.user !== undefined && { user: options.user }),
        additionalGids: (options.additionalGids ?? []).map(String),
        capabilities: [...(options.capabilities ?? [])],
        terminal: console !== undefined,
        ...(console && { consoleSocket: console.path }),
        detach: true,
        stdio: streams.stdio,
        rootless: this.rootless,
        ...(options.unsafeAnnotations && { unsafeAnnotations: options.unsafeAnnotations }),
      });
      streams.closeProcessEnds();
      const terminal = console?.receive();
      const { pid, pidfd } = launch;
      const { execKey } = launch.resources;
      const exit = execKey ? waitForExec({ root, id }, execKey, pidfd) : awaitChild(pidfd, pid).then(exitRecord);
      // The wait closes the pidfd, and the end stops the kill, in one turn of the event loop.
      const end = endedBy(`exec ${id}`, options, exit, async () => void native.pidfdSignal(pidfd, SIGKILL));
      return new Run(pid, streams, end, terminal);
    } catch (error) {
      streams.abandon();
      throw error;
    } finally {
      console?.close();
    }
  }
}

/** @throws RuntError ERR_USAGE for an unknown signal */
function signalOf(signal: number | string): number {
  const number = typeof signal === 'number' ? signal : signalNumber(signal);
  if (number === undefined) throw new RuntError({ code: 'ERR_USAGE', message: `unknown signal ${signal}` });
  return number;
}
