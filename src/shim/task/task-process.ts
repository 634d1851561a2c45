/** One process of a task: its init process, or one that was executed later. */

import type { Stdio } from '../../container/launch/spawn-init.js';
import { type Executed, endedProcess } from '../../container/state/exit-records.js';
import type { HeldProcess } from '../../container/state/recorded-process.js';
import { E } from '../../sys/errno.js';
import { native } from '../../sys/host.js';
import { sleep, within } from '../../sys/waiting/loop.js';
import { drainTime, failedLookPause } from '../../sys/waiting/time-limits.js';
import { timestampOf } from '../containerd/proto-timestamp.js';
import { type google, types } from '../transport/protos.js';
import { Code, StatusError } from '../transport/status-code.js';
import type { LoggedContainer } from './log-program.js';
import { Io } from './process-stdio.js';
import type { Owner, Streams } from './stdio-streams.js';
import type { Console } from './task-console.js';

/** How a process ended, as its parent, the supervisor, saw it. */
export interface Ended {
  readonly status: number;
  readonly at: google.protobuf.Timestamp.$Properties;
}

/** Nobody saw the end: the supervisor was killed, and the kernel does not tell. 255 is what containerd takes for that. */
const unseen = 255;
const noConsole = { ConsoleSocket: undefined, Console: undefined };
const noStreams: Streams = { stdin: '', stdout: '', stderr: '' };

/** What `look` gives, as soon as it does not fail; why it failed first goes to the log. */
async function repeated<T>(look: () => T | Promise<T>, warn: (what: unknown) => void): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (tries === 0) warn(error);
      await sleep(failedLookPause);
    }
  }
}

export class Process {
  pid = 0;
  /** It, while it is watched; its pid may be another process's after that. */
  private held: HeldProcess | undefined;
  started = false;
  /** Its start, until it is told: its end is told after that. */
  starting: Promise<unknown> | undefined;
  ended: Ended | undefined;
  io: Io | undefined;
  console: Console | undefined;
  /** What ResizePty said before there was a terminal. */
  private size: { readonly width: number; readonly height: number } | undefined;
  /** Resolves when it has ended; fails when it never will. */
  readonly exit: Promise<Ended>;
  private settle!: (ended: Ended) => void;
  private fail!: (error: StatusError) => void;

  constructor(
    /** Empty for the init process. */
    readonly execId: string,
    readonly terminal: boolean,
    readonly streams: Streams,
  ) {
    this.exit = new Promise((settle, fail) => {
      this.settle = settle;
      this.fail = fail;
    });
    // Perhaps nobody waits.
    this.exit.catch(() => {});
  }

  get status(): types.Status {
    if (this.ended) return types.Status.STOPPED;
    return this.started ? types.Status.RUNNING : types.Status.CREATED;
  }

  /** A size in characters, for the terminal if it has one. */
  resize(width: number, height: number): void {
    this.size = { width, height };
    this.console?.resize(width, height);
  }

  /**
   * Calls `begin` with the streams, or with the path of a socket that gets the terminal. When it fails nothing is left of them.
   * @throws what it throws, and as Io.open
   */
  async connect(
    container: LoggedContainer,
    bundle: string,
    owner: Owner,
    begin: (stdio: Stdio, consoleSocket: { readonly consoleSocket?: string }) => Promise<void>,
  ): Promise<void> {
    const { ConsoleSocket, Console } = this.terminal ? await import('./task-console.js') : noConsole;
    const socket = ConsoleSocket && new ConsoleSocket(bundle, `console-${this.execId}.sock`);
    try {
      this.io = await Io.open(this.terminal ? noStreams : this.streams, owner, container);
      const master = socket?.master();
      // Looked at when `begin` is done: until then a failure of its own is what counts.
      master?.catch(() => {});
      await begin(this.io.stdio, socket ? { consoleSocket: socket.path } : {});
      if (master && Console) {
        this.console = await Console.open(await master, this.streams, container);
        if (this.size) this.resize(this.size.width, this.size.height);
      }
    } catch (error) {
      this.io?.close();
      throw error;
    } finally {
      this.io?.given();
      socket?.close();
    }
  }

  /**
   * Waits until a process has ended, undefined when it has already; what the supervisor wrote into `stateDir` is how it
   * ended. A look that fails is repeated: the end of a task must be told, and not before it is one.
   */
  async watch(
    look: () => HeldProcess | undefined,
    stateDir: string,
    warn: (what: unknown) => void,
    executed?: Executed,
  ): Promise<Ended> {
    const held = await repeated(look, warn);
    this.held = held;
    await repeated(() => held?.ended(), warn);
    this.held = undefined;
    const ended = { pid: this.pid, pidfd: held?.fd ?? -1 };
    const exit = await repeated(() => endedProcess(stateDir, ended, executed), warn);
    held?.close();
    return this.end(exit?.status ?? unseen, exit?.exitedAtNs ?? native.realtime());
  }

  /** Signals it. @returns 0 or -errno, ESRCH when it has ended */
  signal(signal: number): number {
    return this.held?.signal(signal) ?? -E.ESRCH;
  }

  end(status: number, ns: bigint): Ended {
    this.ended ??= { status, at: timestampOf(ns) };
    this.settle(this.ended);
    return this.ended;
  }

  /** It is deleted: one that was not started never ends. */
  deleted(): void {
    this.fail(new StatusError(Code.NOT_FOUND, `process ${this.execId} was deleted before it was started`));
  }

  closeStdin(): void {
    this.io?.closeStdin();
    this.console?.closeStdin();
  }

  /** Waits until all that it wrote is delivered, and lets go of its streams. */
  async release(): Promise<void> {
    await within(Promise.all([this.io?.drained(), this.console?.drained()]), drainTime);
    this.io?.close();
    this.console?.close();
  }
}
