/** One process of a task: its init process or an exec. */

import type { Stdio } from '../../container/launch/spawn-init.js';
import { type ExecKey, exitOfEnded } from '../../container/state/exit-records.js';
import type { HeldProcess } from '../../container/state/recorded-process.js';
import { E } from '../../sys/errno.js';
import { native } from '../../sys/host.js';
import { sleep, withTimeout } from '../../sys/waiting/loop.js';
import { drainTime, processRetryPause } from '../../sys/waiting/time-limits.js';
import { timestampOf } from '../containerd/proto-timestamp.js';
import type { KeptStreams } from '../streams/kept-streams.js';
import type { LoggedContainer } from '../streams/log-program.js';
import { Io } from '../streams/process-stdio.js';
import type { Owner, Streams } from '../streams/stdio-streams.js';
import { type google, types } from '../transport/protos.js';
import type { UnaryCall } from '../transport/rpc.js';
import { Code, StatusError } from '../transport/status-code.js';
import type { Console } from './task-console.js';

/** The end of a process, as its parent, the supervisor, recorded it. */
export interface RecordedExit {
  readonly status: number;
  readonly at: google.protobuf.Timestamp.$Properties;
}

interface Wait {
  readonly settle: (ended: RecordedExit) => void;
  readonly fail: (error: StatusError) => void;
}

/** For a lost exit status: the supervisor was killed and the kernel does not have it. containerd uses 255 for that. */
const lostStatus = 255;
const noConsole = { ConsoleSocket: undefined, Console: undefined };
const noStreams: Streams = { stdin: '', stdout: '', stderr: '' };

/** Repeats `attempt` until it succeeds; logs the first failure. */
async function retry<T>(attempt: () => T | Promise<T>, warn: (what: unknown) => void): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 0) warn(error);
      await sleep(processRetryPause);
    }
  }
}

/** Makes a process that has these streams, or sends its terminal to the socket. */
export type BeginProcess = (stdio: Stdio, consoleSocket: { readonly consoleSocket?: string }) => Promise<void>;

export class Process {
  pid = 0;
  /** The process while it is watched; afterwards the kernel may reuse its pid. */
  private held: HeldProcess | undefined;
  started = false;
  /** Settles when the start event is published: the exit event must follow it. */
  starting: Promise<unknown> | undefined;
  ended: RecordedExit | undefined;
  io: Io | undefined;
  console: Console | undefined;
  /** The size from a ResizePty that preceded the terminal. */
  private size: { readonly width: number; readonly height: number } | undefined;
  /** The waits for its end. Not one promise: that would keep each cancelled wait until the end. */
  private readonly waits = new Set<Wait>();
  private deleted: StatusError | undefined;

  constructor(
    /** Empty for the init process. */
    readonly execId: string,
    readonly terminal: boolean,
    readonly streams: Streams,
  ) {}

  get status(): types.Status {
    if (this.ended) return types.Status.STOPPED;
    return this.started ? types.Status.RUNNING : types.Status.CREATED;
  }

  /** Sets the terminal's size, in characters. */
  resize(width: number, height: number): void {
    this.size = { width, height };
    this.console?.resize(width, height);
  }

  /**
   * Calls `begin` with the streams, or with the path of a socket that receives the terminal; closes them if it fails.
   * @throws the errors of `begin` and of Io.open
   */
  async connect(
    container: LoggedContainer,
    bundle: string,
    owner: Owner,
    begin: BeginProcess,
    kept?: KeptStreams,
  ): Promise<void> {
    const { ConsoleSocket, Console } = this.terminal ? await import('./task-console.js') : noConsole;
    const socket = ConsoleSocket && new ConsoleSocket(bundle, `console-${this.execId}.sock`);
    let master: Promise<number> | undefined;
    try {
      this.io = await Io.open(this.terminal ? noStreams : this.streams, owner, container, kept);
      master = socket?.master();
      // Awaited after `begin`: an error of `begin` takes precedence.
      master?.catch(() => {});
      await begin(this.io.stdio, socket ? { consoleSocket: socket.path } : {});
      if (master && Console) {
        this.console = await Console.open(await master, this.streams, container, kept);
        if (this.size) this.resize(this.size.width, this.size.height);
      }
    } catch (error) {
      this.io?.close();
      // The terminal may have come before `begin` failed.
      if (!this.console) master?.then((fd) => native.close(fd)).catch(() => {});
      throw error;
    } finally {
      this.io?.closeProcessEnds();
      socket?.close();
    }
  }

  /** Takes over the streams from an earlier server. @throws RuntError ERR_IO, StatusError INVALID_ARGUMENT */
  async adoptStreams(kept: KeptStreams): Promise<void> {
    if (!this.terminal) this.io = await Io.adopt(this.streams, kept);
    else this.console = await (await import('./task-console.js')).Console.adopt(this.streams, kept);
  }

  /**
   * Waits for the end of a process (`look` gives undefined if it has ended), then reads the supervisor's record in
   * `stateDir`. Repeats failed attempts: the exit event must be published, and never too early.
   */
  async watch(
    look: () => HeldProcess | undefined,
    stateDir: string,
    warn: (what: unknown) => void,
    executed?: ExecKey,
  ): Promise<RecordedExit> {
    const held = await retry(look, warn);
    this.held = held;
    await retry(() => held?.waitForEnd(), warn);
    this.held = undefined;
    const ended = { pid: this.pid, pidfd: held?.fd ?? -1 };
    const exit = await retry(() => exitOfEnded(stateDir, ended, executed), warn);
    held?.close();
    return this.recordEnd(exit?.status ?? lostStatus, exit?.exitedAtNs ?? native.realtime());
  }

  /**
   * Resolves when the process has ended. A cancelled wait keeps no memory.
   * @throws StatusError NOT_FOUND if the process is deleted before its start, CANCELLED
   */
  waitForEnd(call?: UnaryCall): Promise<RecordedExit> {
    return new Promise((settle, fail) => {
      if (this.ended) settle(this.ended);
      if (this.deleted) fail(this.deleted);
      if (this.ended || this.deleted) return;
      const wait = { settle, fail };
      this.waits.add(wait);
      if (!call) return;
      call.onCancel = () => {
        if (this.waits.delete(wait)) fail(new StatusError(Code.CANCELLED, 'the wait is cancelled'));
      };
    });
  }

  /** Signals the process. @returns 0 or -errno, ESRCH when it has ended */
  signal(signal: number): number {
    return this.held?.signal(signal) ?? -E.ESRCH;
  }

  recordEnd(status: number, ns: bigint): RecordedExit {
    this.ended ??= { status, at: timestampOf(ns) };
    for (const { settle } of this.waits) settle(this.ended);
    this.waits.clear();
    return this.ended;
  }

  /** The end that an earlier server has recorded. */
  adoptEnd(ended: RecordedExit): void {
    this.ended = ended;
  }

  /** Rejects the waits for a process that was deleted before its start. */
  rejectWaits(): void {
    this.deleted = new StatusError(Code.NOT_FOUND, `process ${this.execId} was deleted before it was started`);
    for (const { fail } of this.waits) fail(this.deleted);
    this.waits.clear();
  }

  closeStdin(): void {
    this.io?.closeStdin();
    this.console?.closeStdin();
  }

  /** Waits until the output is delivered, then closes the streams. */
  async release(): Promise<void> {
    await withTimeout(Promise.all([this.io?.drained(), this.console?.drained()]), drainTime);
    this.io?.close();
    this.console?.close();
  }
}
