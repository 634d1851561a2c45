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
import { limitProcess } from '../container/launch/supervisor.js';
import { pause, resume } from '../container/pause.js';
import { listPids } from '../container/ps.js';
import { start } from '../container/start.js';
import { cancelledError, causeOf } from '../container/state/cancellation.js';
import type { ExitRecord } from '../container/state/exit-records.js';
import { statusOf } from '../container/state/recorded-process.js';
import { type ContainerRecord, loadRecord } from '../container/state/state-store.js';
import { type ContainerState, state } from '../container/state.js';
import { type ContainerEvent, events, type OomEvent, type StatsEvent } from '../container/stats-stream.js';
import { EndLimit } from '../container/stdio/end-limit.js';
import { AwaitedEnd, awaitStop, stop } from '../container/stop.js';
import { update } from '../container/update/update.js';
import { type EarlyEnd, wait, waitForExec } from '../container/wait.js';
import type { Resources } from '../spec/config-types.js';
import { toJson } from '../spec/json/exact-json.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { SIGKILL } from '../sys/linux.js';
import { timestamp } from '../sys/timestamp.js';
import { statsInterval } from '../sys/waiting/time-limits.js';
import { checkObject, checkOptions, checkText, checkWords } from './call-checks.js';
import {
  type ContainerOptions,
  type CreateOptions,
  createTypes,
  type DeleteOptions,
  deleteTypes,
  type ExecOptions,
  execTypes,
  type KillOptions,
  killTypes,
  type Piped,
  type PipedRun,
  type RunOptions,
  runTypes,
  type StdioOptions,
  type StopOptions,
  signalOf,
  stopTypes,
  type WaitOptions,
  waitTypes,
} from './call-options.js';
import { abortable } from './early-end.js';
import { type HeldStdio, heldStdio, hold, release, streamsError } from './held-stdio.js';
import { type CheckpointOptions, checkpointOptions, type RestoreOptions, restoreOptions } from './image-options.js';
import { type LogLine, type LogOptions, logTypes, outputLines } from './output-logs.js';
import { abortedError, awaitLimited, endedBy, limitOf, Run } from './process-run.js';
import { openStreams, type Streams } from './process-streams.js';
import { ConsoleSocket, type TerminalStream } from './terminal-stream.js';
import { type Condition, checkConditions, type WaitForOptions, waitForAll, waitForTypes } from './wait-for.js';

const noStreams = ['ignore', 'ignore', 'ignore'] as const;
const pipes = ['pipe', 'pipe', 'pipe'] as const;
const inherited = ['inherit', 'inherit', 'inherit'] as const;

/** What a caller has of a container's standard streams. */
export interface Attachment {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Both directions of its terminal. */
  readonly terminal: TerminalStream | null;
}

export interface EventsOptions<T extends ContainerEvent['type'] = ContainerEvent['type']> {
  /** Milliseconds between two statistics; 5 s when absent. */
  interval?: number;
  /** Kinds of events; all when absent. */
  types?: readonly T[];
  /** Ends the iteration, which throws ERR_ABORTED. */
  signal?: AbortSignal;
}

const eventKinds = ['stats', 'oom'];
const eventsTypes = { interval: 'milliseconds', types: 'kinds', signal: 'abort' };
const kindsType = {
  is: (value: unknown): boolean => Array.isArray(value) && value.every((kind) => eventKinds.includes(kind)),
  meaning: "a list of 'stats' and 'oom'",
};

/** A container that was just made. */
interface Created {
  readonly streams: Streams;
  readonly terminal: TerminalStream | null;
}

export class Container {
  /** Our ends of the pipes that `create` was asked for; else null. */
  stdin: Writable | null = null;
  stdout: Readable | null = null;
  stderr: Readable | null = null;
  /** With `tty` of `create`, both directions of the terminal; else null. */
  terminal: TerminalStream | null = null;

  constructor(
    /** Directory of the state of all containers. */
    readonly root: string,
    readonly id: string,
    private readonly rootless: RootlessMode,
  ) {}

  /** See `Runtime.create`. */
  async create(bundle: string, options: CreateOptions = {}): Promise<void> {
    checkText('create', 'bundle', bundle);
    checkOptions('create', options, createTypes);
    const { signal } = options;
    signal?.throwIfAborted();
    const created = await this.prepare(bundle, options, inherited);
    if (!signal?.aborted) return this.take(created);
    created.streams.abandon();
    created.terminal?.destroy();
    await this.delete({ force: true });
    throw abortedError(`create ${this.id}`, signal);
  }

  /** See `Runtime.restore`. */
  async restore(bundle: string, options: RestoreOptions): Promise<void> {
    checkText('restore', 'bundle', bundle);
    checkObject('restore', 'options', options);
    const criu = restoreOptions(options);
    const { restore } = await import('../container/criu/restore.js');
    const make = async (stdio: Streams['stdio'], consoleSocket?: string): Promise<void> => {
      const common = this.createOptions(bundle, options, stdio, consoleSocket);
      await restore({ ...common, ...criu, detach: true, noSubreaper: true });
    };
    this.take(await this.withStreams(options, inherited, make));
  }

  /** See `Runtime.run`. */
  run(bundle: string, options?: Piped<RunOptions>): Promise<PipedRun>;
  run(bundle: string, options: RunOptions): Promise<Run>;
  async run(bundle: string, options: RunOptions = {}): Promise<Run> {
    const { root, id } = this;
    checkText('run', 'bundle', bundle);
    checkOptions('run', options, runTypes);
    options.signal?.throwIfAborted();
    const what = `run ${id}`;
    const { streams, terminal } = await this.prepare(bundle, options, pipes);
    let record: ContainerRecord | undefined;
    let startedAt: string;
    try {
      record = loadRecord(root, id);
      // Before the start: the process has its limit even if this program ends now.
      if (options.timeout !== undefined) await limitProcess(`${root}/${id}`, record.pid, limitOf(options));
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

  private prepare(bundle: string, o: ContainerOptions, defaultStdio: StdioOptions): Promise<Created> {
    return this.withStreams(o, defaultStdio, (stdio, consoleSocket) =>
      create(this.createOptions(bundle, o, stdio, consoleSocket)),
    );
  }

  private createOptions(bundle: string, o: ContainerOptions, stdio: Streams['stdio'], consoleSocket?: string) {
    return {
      root: this.root,
      id: this.id,
      bundle,
      supervise: true,
      stdio,
      ...(consoleSocket !== undefined && { consoleSocket }),
      ...(o.systemdCgroup && { cgroupManager: 'systemd' as const }),
      ...(o.init && { init: true }),
      noPivot: o.noPivot === true,
      noNewKeyring: o.noNewKeyring === true,
      rootless: this.rootless,
      ...(o.unsafeAnnotations && { unsafeAnnotations: o.unsafeAnnotations }),
      ...(o.hookTimeout !== undefined && { hookTimeout: o.hookTimeout }),
      warn: o.onWarning ?? (() => {}),
    };
  }

  /** Makes a container with the streams or the terminal that the options name. */
  private async withStreams(
    o: ContainerOptions,
    defaultStdio: StdioOptions,
    make: (stdio: Streams['stdio'], consoleSocket?: string) => Promise<void>,
  ): Promise<Created> {
    const console = o.tty ? new ConsoleSocket() : undefined;
    let streams: Streams | undefined;
    let isMade = false;
    try {
      streams = openStreams(o.stdio ?? (console ? noStreams : defaultStdio));
      await make(streams.stdio, console?.path);
      isMade = true;
      const terminal = console?.receive() ?? null;
      hold(this.root, loadRecord(this.root, this.id), streams, terminal);
      return { streams, terminal };
    } catch (error) {
      streams?.abandon();
      if (isMade) await this.delete({ force: true });
      throw error;
    } finally {
      console?.close();
    }
  }

  private take({ streams, terminal }: Created): void {
    streams.closeProcessEnds();
    this.stdin = streams.stdin;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.terminal = terminal;
  }

  /** Executes the process of a created container. @throws RuntError ERR_CONTAINER_STATUS, ERR_EXEC … */
  start(): Promise<void> {
    return start({ root: this.root, id: this.id });
  }

  /** @throws RuntError ERR_NO_CONTAINER … */
  async state(): Promise<ContainerState> {
    return state({ root: this.root, id: this.id });
  }

  /**
   * Waits until it ends.
   * @throws RuntError ERR_NOT_SUPERVISED, ERR_STATUS_LOST, ERR_TIMEOUT, ERR_ABORTED
   */
  async wait(options: WaitOptions = {}): Promise<ExitRecord> {
    const { root, id } = this;
    checkOptions('wait', options, waitTypes);
    const { timeout, signal } = options;
    return abortable(`wait ${id}`, signal, (early) =>
      wait({ root, id, early, ...(timeout !== undefined && { timeout }) }),
    );
  }

  /**
   * Waits until a condition, or each of several, is met.
   * @throws RuntError ERR_TIMEOUT after 60 s unless `timeout` says otherwise, ERR_ABORTED, ERR_CONTAINER_STATUS if the
   *   container stops before, ERR_STREAMS for output that this program does not read, ERR_EXEC for a command
   */
  async waitFor(condition: Condition | readonly Condition[], options: WaitForOptions = {}): Promise<void> {
    const { root, id } = this;
    checkOptions('waitFor', options, waitForTypes);
    const conditions = checkConditions(condition);
    const succeeds = async (command: readonly string[], timeout: number): Promise<boolean> => {
      const run = await this.exec(command, { stdio: noStreams, timeout, stopTimeout: 0 });
      return run.exit.then(
        ({ status }) => status === 0,
        (error: unknown) => {
          // Its time has passed, or the container has ended with it: waitFor says which.
          if (error instanceof RuntError && ['ERR_TIMEOUT', 'ERR_STATUS_LOST'].includes(error.code)) return false;
          throw error;
        },
      );
    };
    await waitForAll({ root, record: loadRecord(root, id), succeeds }, conditions, options);
  }

  /**
   * The streams and the terminal that this program has of the container, which it has created with pipes or `tty`.
   * @throws RuntError ERR_STREAMS if it has none of them, ERR_NO_CONTAINER
   */
  attach(): Attachment {
    const held = this.held();
    if (held && (held.stdin || held.stdout || held.stderr || held.terminal)) {
      const { stdin, stdout, stderr, terminal } = held;
      return { stdin, stdout, stderr, terminal };
    }
    const hint = "create it in this program, with stdio: ['pipe', 'pipe', 'pipe'] or tty: true";
    if (held) throw streamsError(`attach ${this.id}: none of its streams is a pipe or a terminal`, hint);
    throw streamsError(
      `attach ${this.id}: this program has not created the container, so others have its streams`,
      hint,
    );
  }

  /**
   * The lines that it has written to the files of its stdio, or, with `follow`, writes until it has stopped.
   * @throws RuntError ERR_STREAMS if this program has not created it with files as stdio, ERR_ABORTED
   */
  async *logs(options: LogOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    checkOptions('logs', options, logTypes);
    const { follow, signal } = options;
    const isOver = (): boolean => {
      if (signal?.aborted) throw abortedError(`logs ${this.id}`, signal);
      return !follow || this.isStopped();
    };
    yield* outputLines(this.id, this.held(), isOver);
  }

  private held(): HeldStdio | undefined {
    return heldStdio(this.root, loadRecord(this.root, this.id));
  }

  /** Whether it has stopped, or was deleted. @throws RuntError */
  private isStopped(): boolean {
    try {
      return statusOf(this.root, loadRecord(this.root, this.id)) === 'stopped';
    } catch (error) {
      if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return true;
      throw error;
    }
  }

  /**
   * Ends it: its stop signal, and KILL after `timeout` ms (10 s when absent). Resolves when it has ended. The signal is
   * that of the annotation `org.opencontainers.image.stopSignal`, else TERM, unless it is given here.
   * @throws RuntError ERR_NO_CONTAINER, ERR_SPEC_VALUE for the annotation, ERR_USAGE for an unknown signal
   */
  async stop(options: StopOptions = {}): Promise<void> {
    checkOptions('stop', options, stopTypes);
    const { timeout, signal } = options;
    await stop({
      root: this.root,
      id: this.id,
      ...(timeout !== undefined && { timeout }),
      ...(signal !== undefined && { signal: signalOf('stop', signal) }),
    });
  }

  /**
   * Signals its process or, with `all`, every process. The signal is a number, or a name with or without SIG; 0 only
   * checks that the process exists. With `wait` it resolves when the container has ended.
   * @throws RuntError ERR_USAGE for an unknown signal, ERR_CONTAINER_STATUS
   */
  async kill(signal: number | string = 'TERM', options: KillOptions = {}): Promise<void> {
    const { root, id } = this;
    const number = signalOf('kill', signal, true);
    checkOptions('kill', options, killTypes);
    const end = options.wait ? new AwaitedEnd(root, loadRecord(root, id)) : undefined;
    try {
      await kill({ root, id, signal: number, all: options.all === true });
      await end?.wait();
    } finally {
      end?.close();
    }
  }

  /** Removes it. `force` kills it first, and ignores a missing container; `wait` waits until it has ended. */
  async delete(options: DeleteOptions = {}): Promise<void> {
    checkOptions('delete', options, deleteTypes);
    if (options.wait && !options.force) await awaitStop(this.root, this.id);
    await remove({ root: this.root, id: this.id, force: options.force === true });
    release(this.root, this.id);
  }

  /**
   * Writes its processes to image files with criu (docs/checkpoint.md). Then it is deleted, unless it is to continue.
   * @throws RuntError ERR_CRIU_MISSING, ERR_CRIU*, ERR_CONTAINER_STATUS, ERR_UNSUPPORTED; the container continues then
   */
  async checkpoint(options: CheckpointOptions): Promise<void> {
    checkObject('checkpoint', 'options', options);
    const o = checkpointOptions(options);
    const { checkpoint } = await import('../container/criu/checkpoint.js');
    await checkpoint({ ...o, root: this.root, id: this.id });
    if (!o.leaveRunning && !o.preDump) release(this.root, this.id);
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
  async update(resources: Resources): Promise<void> {
    checkObject('update', 'resources', resources);
    await update({ root: this.root, id: this.id, resources: toJson(resources), document: 'resources' });
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

  /** Statistics every `interval` ms, and each OOM kill, until the container stops. @throws RuntError ERR_ABORTED */
  events(options: EventsOptions<'oom'> & { types: readonly 'oom'[] }): AsyncGenerator<OomEvent, void, undefined>;
  events(options: EventsOptions<'stats'> & { types: readonly 'stats'[] }): AsyncGenerator<StatsEvent, void, undefined>;
  events(options?: EventsOptions): AsyncGenerator<ContainerEvent, void, undefined>;
  async *events(options: EventsOptions = {}): AsyncGenerator<ContainerEvent, void, undefined> {
    const { root, id } = this;
    checkOptions('events', options, eventsTypes, { kinds: kindsType });
    const { types = ['stats', 'oom'], signal } = options;
    const interval = types.includes('stats') ? (options.interval ?? statsInterval) : Number.POSITIVE_INFINITY;
    const early: EarlyEnd = { ended: false };
    const source = events({ root, id, interval, early });
    try {
      for (;;) {
        const { value: event, done } = await abortable(`events ${id}`, signal, (one) => {
          // One signal ends any number of waits.
          one.wake = () => {
            early.ended = true;
            early.wake?.();
          };
          return source.next();
        });
        if (signal?.aborted) throw abortedError(`events ${id}`, signal);
        if (done) return;
        if (!types.includes(event.type)) continue;
        yield event.type === 'stats' ? { ...event, stats: withFiniteLimits(event.stats) } : event;
      }
    } finally {
      await source.return();
    }
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
    let streams: Streams | undefined;
    try {
      streams = openStreams(options.stdio ?? (console ? noStreams : pipes));
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
        // Without a supervisor, this program keeps the limit.
        ...(options.timeout !== undefined && loadRecord(root, id).supervisor && limitOf(options)),
        detach: true,
        stdio: streams.stdio,
        rootless: this.rootless,
        ...(options.unsafeAnnotations && { unsafeAnnotations: options.unsafeAnnotations }),
      });
      streams.closeProcessEnds();
      const terminal = console?.receive();
      const { pid, pidfd } = launch;
      const { execKey } = launch.resources;
      const limit = new EndLimit(limitOf(options), { what: `exec ${id}`, pid, pidfd, cgroups: [] });
      const exit = execKey ? waitForExec({ root, id }, execKey, pidfd) : awaitLimited(pidfd, pid, limit);
      // The wait closes the pidfd, and the end stops the kill, in one turn of the event loop.
      const end = endedBy(`exec ${id}`, options, exit, async () => void native.pidfdSignal(pidfd, SIGKILL));
      return new Run(pid, streams, end, terminal);
    } catch (error) {
      streams?.abandon();
      throw error;
    } finally {
      console?.close();
    }
  }
}
