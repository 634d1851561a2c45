/** One container, for scripts. Node.js only. */

import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { readCgroupFacts } from '../cgroup/cgroup-facts.js';
import { readStats } from '../cgroup/stats/cgroup-stats.js';
import { withFiniteLimits } from '../cgroup/stats/finite-limits.js';
import type { Stats } from '../cgroup/stats/stats-types.js';
import { kill } from '../container/kill.js';
import { openSelf } from '../container/launch/followed-processes.js';
import type { RootlessMode } from '../container/launch/read-host-facts.js';
import { limitProcess } from '../container/launch/supervisor.js';
import { pause, resume } from '../container/pause.js';
import { listPids } from '../container/ps.js';
import { cancelledError, causeOf } from '../container/state/cancellation.js';
import type { ExitRecord } from '../container/state/exit-records.js';
import { statusOf } from '../container/state/recorded-process.js';
import { type ContainerRecord, loadRecord } from '../container/state/state-store.js';
import { type ContainerState, state } from '../container/state.js';
import { type ContainerEvent, events, type OomEvent, type StatsEvent } from '../container/stats-stream.js';
import { EndLimit, timeoutError } from '../container/stdio/end-limit.js';
import { AwaitedEnd, awaitStop, stop } from '../container/stop.js';
import { update } from '../container/update/update.js';
import { type EarlyEnd, wait, waitForExec } from '../container/wait.js';
import type { Resources } from '../spec/config-types.js';
import { eachUnknownProperty } from '../spec/judge/unknown-properties.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { SIGKILL } from '../sys/linux.js';
import { lastOutputTime, statsInterval } from '../sys/waiting/time-limits.js';
import { alone, callError, checkObject, checkOptions, checkPath, checkWords, jsonOf } from './call-checks.js';
import {
  type ContainerOptions,
  type CreateOptions,
  createTypes,
  type DeleteOptions,
  deleteTypes,
  type ExecOptions,
  execRefusals,
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
  type WarningOptions,
  waitTypes,
  warningTypes,
} from './call-options.js';
import { callCore } from './core-thread.js';
import { abortable } from './early-end.js';
import { endable } from './endable-iterator.js';
import { type HeldStdio, heldStdio, hold, releaser, streamsError } from './held-stdio.js';
import {
  type CheckpointOptions,
  checkpointOptions,
  checkRestore,
  type RestoreOptions,
  restoreOptions,
} from './image-options.js';
import { warner } from './option-words.js';
import { type LogLine, type LogOptions, logTypes, outputLines } from './output-logs.js';
import { abortedError, awaitLimited, endedBy, limitOf, Run, refuseAborted } from './process-run.js';
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

const eventKinds: readonly ContainerEvent['type'][] = ['stats', 'oom'];
const eventsTypes = { interval: 'interval', types: 'kinds', signal: 'abort' };
const kindsType = {
  is: (value: unknown): boolean =>
    Array.isArray(value) && value.length > 0 && [...value].every((kind) => eventKinds.includes(kind)),
  meaning: "a list of 'stats' and 'oom', or of one of them",
};

/** Failures of a start whose process was killed before. */
const startedTooLate = ['ERR_CONTAINER_STATUS', 'ERR_INIT_DIED', 'ERR_STATE'];
/** Ends of a command of `waitFor` other than its own. */
const endsOfCommand = ['ERR_TIMEOUT', 'ERR_ABORTED', 'ERR_STATUS_LOST'];

/** A terminal is all three streams. @throws RuntError ERR_USAGE */
function checkTerminal(call: string, { tty, stdio }: { tty?: boolean; stdio?: StdioOptions }): void {
  if (tty && stdio) throw callError(`${call}: the options tty and stdio exclude each other`);
}

/** @throws RuntError ERR_USAGE for a limit of a wait that was not asked for */
function checkWait(call: string, { wait, timeout }: { wait?: boolean; timeout?: number }): void {
  if (timeout !== undefined && !wait) throw callError(`${call}: the option timeout needs wait: true`);
}

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
    checkPath('create', 'bundle', bundle);
    const o = checkOptions('create', options, createTypes);
    const what = `create ${this.id}`;
    refuseAborted(what, o.signal);
    const created = await this.prepare('create', resolve(bundle), o, inherited);
    await this.takeUnlessAborted(what, created, o.signal);
  }

  /** @throws RuntError ERR_ABORTED after the container is removed, if the signal aborted while it was made */
  private async takeUnlessAborted(what: string, created: Created, signal: AbortSignal | undefined): Promise<void> {
    if (!signal?.aborted) return this.take(created);
    created.streams.abandon();
    created.terminal?.destroy();
    await this.delete({ force: true });
    throw abortedError(what, signal);
  }

  /** See `Runtime.restore`. */
  async restore(bundle: string, options: RestoreOptions): Promise<void> {
    checkPath('restore', 'bundle', bundle);
    checkObject('restore', 'options', options);
    const o = checkRestore(options);
    const criu = restoreOptions(o);
    const what = `restore ${this.id}`;
    refuseAborted(what, o.signal);
    const { restore } = await import('../container/criu/restore.js');
    const make = async (stdio: Streams['stdio'], consoleSocket?: string): Promise<void> => {
      const common = this.createOptions(resolve(bundle), o, stdio, consoleSocket);
      const all = { ...common, ...criu, detach: true, noSubreaper: true };
      await abortable(what, o.signal, async (early) => void (await restore({ ...all, early })));
    };
    await this.takeUnlessAborted(what, await this.withStreams('restore', o, inherited, make), o.signal);
  }

  /** See `Runtime.run`. */
  run(bundle: string, options?: Piped<RunOptions>): Promise<PipedRun>;
  run(bundle: string, options: RunOptions): Promise<Run>;
  async run(bundle: string, options: RunOptions = {}): Promise<Run> {
    const { root, id } = this;
    checkPath('run', 'bundle', bundle);
    const o = checkOptions('run', options, runTypes);
    const what = `run ${id}`;
    refuseAborted(what, o.signal);
    const { streams, terminal } = await this.prepare('run', resolve(bundle), o, pipes);
    let record: ContainerRecord | undefined;
    try {
      record = loadRecord(root, id);
      // Before the start: the process has its limit even if this program ends now.
      if (o.timeout !== undefined) await limitProcess(`${root}/${id}`, record.pid, limitOf(o), record.cgroups);
      refuseAborted(what, o.signal);
      await this.start();
    } catch (error) {
      streams.abandon();
      terminal?.destroy();
      const cause = await causeOf(what, root, record ?? { id }, await this.endBeforeStart(what, o, error));
      // Another container may have its id by now.
      if (!(cause instanceof RuntError) || cause.code !== 'ERR_CANCELLED') await this.delete({ force: true });
      throw cause;
    }
    streams.closeProcessEnds();
    const exit = this.exitOfRun(what, record, o.keep === true);
    const end = endedBy(what, o, exit, () => this.kill('KILL'));
    return new Run(record.pid, streams, end, terminal);
  }

  /** The error of a start that failed: ERR_TIMEOUT if the time limit has ended the process before. */
  private async endBeforeStart(what: string, { timeout }: RunOptions, error: unknown): Promise<unknown> {
    if (timeout === undefined || !(error instanceof RuntError) || !startedTooLate.includes(error.code)) return error;
    const exit = await this.wait({ timeout: lastOutputTime }).catch(() => undefined);
    return exit?.reason === 'timeout' ? timeoutError(what, { timeout }) : error;
  }

  /** Waits for the end, and deletes the container. @throws RuntError ERR_CANCELLED, ERR_STATUS_LOST */
  private async exitOfRun(what: string, record: ContainerRecord, keep: boolean): Promise<ExitRecord> {
    const forget = releaser(this.root, this.id);
    let exit: ExitRecord;
    try {
      exit = await this.wait();
    } catch (error) {
      forget();
      if (error instanceof RuntError && error.code === 'ERR_CANCELLED') throw cancelledError(what, error.cause);
      throw await causeOf(what, this.root, record, error);
    }
    if (exit.reason === 'cancelled') {
      forget();
      throw cancelledError(what);
    }
    if (!keep) await this.delete({ force: true });
    return exit;
  }

  private prepare(
    call: string,
    bundle: string,
    o: CreateOptions | RunOptions,
    defaultStdio: StdioOptions,
  ): Promise<Created> {
    return this.withStreams(call, o, defaultStdio, async (stdio, consoleSocket) => {
      const options = this.createOptions(bundle, o, stdio, consoleSocket);
      if (!o.dieWithParent) return callCore('create', options);
      const self = openSelf(`${call} ${this.id}`);
      try {
        await callCore('create', { ...options, followed: [self] });
      } finally {
        native.close(self);
      }
    });
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
      warn: warner(o.onWarning),
    };
  }

  /** Makes a container with the streams or the terminal that the options name. */
  private async withStreams(
    call: string,
    o: ContainerOptions,
    defaultStdio: StdioOptions,
    make: (stdio: Streams['stdio'], consoleSocket?: string) => Promise<void>,
  ): Promise<Created> {
    checkTerminal(call, o);
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
    return callCore('start', { root: this.root, id: this.id });
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
    const { timeout, signal } = checkOptions('wait', options, waitTypes);
    return abortable(`wait ${id}`, signal, (early) =>
      wait(alone({ root, id, early, ...(timeout !== undefined && { timeout }) })),
    );
  }

  /**
   * Waits until a condition, or each of several, is met.
   * @throws RuntError ERR_TIMEOUT after 60 s unless `timeout` says otherwise, ERR_ABORTED, ERR_CONTAINER_STATUS if the
   *   container stops before, ERR_STREAMS for output that this program does not read, ERR_EXEC for a command
   */
  async waitFor(condition: Condition | readonly Condition[], options: WaitForOptions = {}): Promise<void> {
    const { root, id } = this;
    const o = checkOptions('waitFor', options, waitForTypes);
    const conditions = checkConditions(condition);
    const succeeds = async (command: readonly string[], timeout: number): Promise<boolean> => {
      try {
        const run = await this.exec(command, {
          stdio: noStreams,
          timeout,
          stopTimeout: 0,
          ...(o.signal && { signal: o.signal }),
        });
        return (await run.exit).status === 0;
      } catch (error) {
        // Its time has passed, it was aborted, or the container has ended with it: waitFor says which.
        if (error instanceof RuntError && endsOfCommand.includes(error.code)) return false;
        throw error;
      }
    };
    await waitForAll({ root, record: loadRecord(root, id), succeeds }, conditions, o);
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
  logs(options: LogOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    return endable((ended) => this.logLines(options, ended));
  }

  private async *logLines(options: LogOptions, ended: AbortSignal): AsyncGenerator<LogLine, void, undefined> {
    const { follow, signal } = checkOptions('logs', options, logTypes);
    const isOver = (): boolean => {
      refuseAborted(`logs ${this.id}`, signal);
      return !follow || ended.aborted || this.isStopped();
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
   * that of the annotation `org.opencontainers.image.stopSignal`, else TERM, unless `stopSignal` names another.
   * @throws RuntError ERR_NO_CONTAINER, ERR_SPEC_VALUE for the annotation, ERR_USAGE for an unknown signal, ERR_ABORTED
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { root, id } = this;
    const { timeout, stopSignal, signal } = checkOptions('stop', options, stopTypes);
    const o = {
      root,
      id,
      ...(timeout !== undefined && { timeout }),
      ...(stopSignal !== undefined && { signal: signalOf('stop', stopSignal) }),
    };
    await abortable(`stop ${id}`, signal, (early) => stop(alone({ ...o, early })));
  }

  /**
   * Signals its process or, with `all`, every process. The signal is a number, or a name with or without SIG; 0 only
   * checks that the process exists. With `wait` it resolves when the container has ended.
   * @throws RuntError ERR_USAGE for an unknown signal, ERR_CONTAINER_STATUS, ERR_TIMEOUT, ERR_ABORTED
   */
  async kill(signal: number | string = 'TERM', options: KillOptions = {}): Promise<void> {
    const { root, id } = this;
    const number = signalOf('kill', signal, true);
    const o = checkOptions('kill', options, killTypes);
    checkWait('kill', o);
    refuseAborted(`kill ${id}`, o.signal);
    const end = o.wait ? new AwaitedEnd(root, loadRecord(root, id)) : undefined;
    try {
      await kill({ root, id, signal: number, all: o.all === true });
      if (end) await abortable(`kill ${id}`, o.signal, (early) => end.inTime(`kill ${id}`, { ...o, early }));
    } finally {
      end?.close();
    }
  }

  /**
   * Removes it. `force` kills it first, and ignores a missing container; `wait` waits until it has ended.
   * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_CGROUP; ERR_TIMEOUT and ERR_ABORTED for the wait
   */
  async delete(options: DeleteOptions = {}): Promise<void> {
    const { root, id } = this;
    const o = checkOptions('delete', options, deleteTypes);
    checkWait('delete', o);
    refuseAborted(`delete ${id}`, o.signal);
    if (o.wait && !o.force) {
      await abortable(`delete ${id}`, o.signal, (early) => awaitStop(root, id, { ...o, early }));
      refuseAborted(`delete ${id}`, o.signal);
    }
    const forget = releaser(root, id);
    await callCore('remove', { root, id, force: o.force === true, warn: warner(o.onWarning) });
    forget();
  }

  /**
   * Writes its processes to image files with criu (docs/checkpoint.md). Then it is deleted, unless it is to continue.
   * @throws RuntError ERR_CRIU_MISSING, ERR_CRIU*, ERR_CONTAINER_STATUS, ERR_UNSUPPORTED; the container continues then
   */
  async checkpoint(options: CheckpointOptions): Promise<void> {
    checkObject('checkpoint', 'options', options);
    const o = checkpointOptions(options);
    const { checkpoint } = await import('../container/criu/checkpoint.js');
    const forget = releaser(this.root, this.id);
    await checkpoint({ ...o, root: this.root, id: this.id });
    if (!o.leaveRunning && !o.preDump) forget();
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

  /**
   * Sets new limits; absent ones do not change. If one is refused, none changes.
   * @throws RuntError ERR_USAGE, ERR_SPEC_INVALID, ERR_CONTAINER_STATUS, ERR_CGROUP …
   */
  async update(resources: Resources, options: WarningOptions = {}): Promise<void> {
    checkObject('update', 'resources', resources);
    const { onWarning } = checkOptions('update', options, warningTypes);
    const json = jsonOf('update', 'resources', resources);
    eachUnknownProperty({ linux: { resources: JSON.parse(json) } }, (pointer, { nearest }) => {
      const near = nearest();
      const name = pointer.slice('/linux/resources'.length);
      const message = `update: unknown resource ${name}${near === undefined ? '' : `; did you mean ${near}?`}`;
      throw new RuntError({ code: 'ERR_USAGE', message, pointer: name, document: 'resources' });
    });
    const { root, id } = this;
    await update({ root, id, resources: json, document: 'resources', warn: warner(onWarning) });
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
  events(options: EventsOptions = {}): AsyncGenerator<ContainerEvent, void, undefined> {
    return endable((ended) => this.eventsUntil(options, ended));
  }

  private async *eventsUntil(
    options: EventsOptions,
    ended: AbortSignal,
  ): AsyncGenerator<ContainerEvent, void, undefined> {
    const { root, id } = this;
    const o = checkOptions('events', options, eventsTypes, { kinds: kindsType });
    const { types = eventKinds, signal } = o;
    const interval = types.includes('stats') ? (o.interval ?? statsInterval) : Number.POSITIVE_INFINITY;
    const early: EarlyEnd = { ended: false };
    const end = (): void => {
      early.ended = true;
      early.wake?.();
    };
    refuseAborted(`events ${id}`, signal);
    for (const one of [ended, signal]) one?.addEventListener('abort', end, { once: true });
    try {
      for await (const event of events({ root, id, interval, early })) {
        if (early.ended) break;
        if (!types.includes(event.type)) continue;
        yield event.type === 'stats' ? { ...event, stats: withFiniteLimits(event.stats) } : event;
      }
      refuseAborted(`events ${id}`, signal);
    } finally {
      signal?.removeEventListener('abort', end);
    }
  }

  /** Executes another process in it. @throws RuntError ERR_CONTAINER_STATUS, ERR_EXEC … */
  exec(args: readonly string[], options?: Piped<ExecOptions>): Promise<PipedRun>;
  exec(args: readonly string[], options: ExecOptions): Promise<Run>;
  async exec(args: readonly string[], options: ExecOptions = {}): Promise<Run> {
    const { root, id } = this;
    checkWords('exec', args);
    const o = checkOptions('exec', options, execTypes, execRefusals);
    checkTerminal('exec', o);
    refuseAborted(`exec ${id}`, o.signal);
    const console = o.tty ? new ConsoleSocket() : undefined;
    let streams: Streams | undefined;
    let self = -1;
    try {
      if (o.dieWithParent) self = openSelf(`exec ${id}`);
      streams = openStreams(o.stdio ?? (console ? noStreams : pipes));
      const { pid, pidfd, execKey } = await callCore('exec', {
        root,
        id,
        args: [...args],
        env: [...(o.env ?? [])],
        ...(o.cwd !== undefined && { cwd: o.cwd }),
        ...(o.user !== undefined && { user: o.user }),
        additionalGids: (o.additionalGids ?? []).map(String),
        capabilities: [...(o.capabilities ?? [])],
        terminal: console !== undefined,
        ...(console && { consoleSocket: console.path }),
        // Without a supervisor, this program keeps the limit.
        ...(o.timeout !== undefined && loadRecord(root, id).supervisor && limitOf(o)),
        detach: true,
        ...(self >= 0 && { followed: [self] }),
        stdio: streams.stdio,
        rootless: this.rootless,
        ...(o.unsafeAnnotations && { unsafeAnnotations: o.unsafeAnnotations }),
        warn: warner(o.onWarning),
      });
      streams.closeProcessEnds();
      const terminal = console?.receive();
      const limit = new EndLimit(limitOf(o), { what: `exec ${id}`, pid, pidfd, cgroups: [] });
      const exit = execKey ? waitForExec({ root, id }, execKey, pidfd) : awaitLimited(pidfd, pid, limit);
      // The wait closes the pidfd, and the end stops the kill, in one turn of the event loop.
      const end = endedBy(`exec ${id}`, o, exit, async () => void native.pidfdSignal(pidfd, SIGKILL));
      return new Run(pid, streams, end, terminal);
    } catch (error) {
      streams?.abandon();
      throw error;
    } finally {
      if (self >= 0) native.close(self);
      console?.close();
    }
  }
}
