/** One process of a task: its init process, or one that was executed later. */
import { awaitExit } from '../container/supervisor.js';
import { native } from '../sys/host.js';
import { readable } from '../sys/loop.js';
import type { Console } from './console.js';
import { type google, types } from './protos.js';
import type { Io, Streams } from './stdio.js';
import { timestampOf } from './time.js';

/** How a process ended, as its parent, the supervisor, saw it. */
export interface Ended {
  readonly status: number;
  readonly at: google.protobuf.Timestamp.$Properties;
}

/** Nobody saw the end: the supervisor was killed before it could write it down. 255 is what containerd takes for that. */
const unseen = 255;
/** ms that Delete waits for what the process wrote. */
const drainTime = 10_000;

export class Process {
  pid = 0;
  started = false;
  ended: Ended | undefined;
  io: Io | undefined;
  console: Console | undefined;
  /** Resolves when it has ended. */
  readonly exit: Promise<Ended>;
  private settle!: (ended: Ended) => void;

  constructor(
    /** Empty for the init process. */
    readonly execId: string,
    readonly terminal: boolean,
    readonly streams: Streams,
  ) {
    this.exit = new Promise((settle) => {
      this.settle = settle;
    });
  }

  get status(): types.Status {
    if (this.ended) return types.Status.STOPPED;
    return this.started ? types.Status.RUNNING : types.Status.CREATED;
  }

  /** Watches a pidfd, which is closed at the end; what the supervisor in `stateDir` wrote is how it ended. */
  async watch(pidfd: number, stateDir: string, supervisor: { pid: number; startTime: string }): Promise<Ended> {
    await readable(pidfd);
    native.close(pidfd);
    const exit = await awaitExit(stateDir, supervisor, this.execId ? this.pid : undefined);
    return this.end(exit?.status ?? unseen, exit?.exitedAtNs ?? native.realtime());
  }

  end(status: number, ns: bigint): Ended {
    this.ended ??= { status, at: timestampOf(ns) };
    this.settle(this.ended);
    return this.ended;
  }

  /** Waits until all that it wrote is delivered, and lets go of its streams. */
  async release(timeout: (ms: number) => Promise<void>): Promise<void> {
    const delivered = Promise.all([this.io?.drained(), this.console?.drained()]);
    await Promise.race([delivered, timeout(drainTime)]);
    this.io?.close();
    this.console?.close();
  }
}
