/** A process that this server started for a client, with its streams and the calls that follow it. */
import type { ExitRecord } from '../../container/state/exit-records.js';
import type { HeldProcess } from '../../container/state/recorded-process.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { forget, readable } from '../../sys/waiting/loop.js';
import { lateOutputTime } from '../../sys/waiting/time-limits.js';
import { writeBytes } from '../streams/byte-copy.js';
import type { Stream } from '../transport/rpc.js';
import { api } from './api-protos.js';
import { Outcome } from './outcome.js';
import type { Output, SessionStreams } from './session-streams.js';

/** One read of all sessions: it is encoded before the next one. */
const buffer = new Uint8Array(32 << 10);

/** A call that receives the events of a process, in order. */
export class Follower {
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly stream: Stream) {}

  /** Sends an event; resolves when there is room for another. @throws StatusError CANCELLED */
  send(event: api.ProcessEvent.$Properties): Promise<void> {
    return this.sendBytes(api.ProcessEvent.encode(event).finish());
  }

  sendBytes(message: Uint8Array): Promise<void> {
    // stdout and stderr are sent by two loops.
    this.last = this.last.then(() => this.stream.send(message));
    // Each sender has the error too.
    this.last.catch(() => {});
    return this.last;
  }
}

/** A client that writes to stdin. */
export interface Writer {
  hasLeft: boolean;
}

interface SessionProcess {
  /** The container's id. */
  readonly id: string;
  /** Empty for the init process. */
  readonly execId: string;
  readonly pid: number;
  /** Sentences about ignored values of the config. */
  readonly warnings: readonly string[];
  /** An exec, until it has ended; kill(1) of the container reaches the init process. */
  readonly held?: HeldProcess;
}

export class Session {
  /** The same, once its output is delivered. */
  readonly over: Outcome<ExitRecord>;
  private readonly followers = new Set<Follower>();
  private pumping = false;
  private ended = false;
  /** One for each output: resolves when what the process wrote is delivered. */
  private readonly drained: Promise<void>[] = [];
  /** Writes to stdin, one after the other. */
  private writes: Promise<void> = Promise.resolve();
  private writer: Writer | undefined;

  /** @param warn receives errors of the streams */
  constructor(
    readonly process: SessionProcess,
    private readonly streams: SessionStreams,
    /** How the process ended. */
    readonly exit: Outcome<ExitRecord>,
    private readonly warn: (error: unknown) => void,
  ) {
    const ended = new Promise<ExitRecord>((settle, fail) => exit.listen(settle, fail));
    this.over = new Outcome(ended.finally(() => this.drain()));
  }

  /** The process as clients see it. */
  get description(): api.Process.$Properties {
    const { id, execId, pid, warnings } = this.process;
    return { id, execId, pid, warnings: [...warnings] };
  }

  /** Sends the process's output to a call from now on. */
  follow(follower: Follower): void {
    this.followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.followers.delete(follower);
  }

  /** Begins to read the output, and writes the first input. */
  begin({ input, openStdin }: api.Stdio.$Properties = {}): void {
    if (this.pumping) return;
    this.pumping = true;
    for (const output of this.streams.outputs) {
      this.drained.push(
        new Promise((drained) => {
          void this.pump(output, drained)
            .catch(this.warn)
            .finally(() => {
              drained();
              this.streams.closeOutput(output);
            });
        }),
      );
    }
    if (input?.length) void this.write({ hasLeft: false }, input).catch(this.warn);
    if (!openStdin) void this.closeStdin();
  }

  /**
   * Writes to stdin; resolves when the kernel has all of it, the process has closed stdin, or `interrupt` was called.
   * @throws RuntError ERR_STREAMS if stdin is not open
   */
  async write(writer: Writer, data: Uint8Array): Promise<void> {
    if (this.streams.input < 0) {
      throw new RuntError({
        code: 'ERR_STREAMS',
        message: `write to process ${this.process.pid}: its stdin is not open`,
        hint: 'start it with stdio.open_stdin',
      });
    }
    const written = this.writes.then(() => this.writeNext(writer, data));
    // The next write does not depend on the success of this one.
    this.writes = written.catch(() => {});
    await written;
  }

  /** Ends the writes of a client that has left: they must not hold up those of others. */
  interrupt(writer: Writer): void {
    writer.hasLeft = true;
    if (this.writer === writer) forget(this.streams.input);
  }

  private async writeNext(writer: Writer, data: Uint8Array): Promise<void> {
    this.writer = writer;
    try {
      // The descriptor may be closed during each wait.
      await writeBytes(data, () => (writer.hasLeft ? -1 : this.streams.input));
    } finally {
      this.writer = undefined;
    }
  }

  /** Closes stdin after what was written. */
  async closeStdin(): Promise<void> {
    await this.writes;
    this.streams.closeInput();
  }

  /** Sets the terminal's size, in characters. @throws RuntError ERR_STREAMS */
  resize(size: api.TerminalSize.$Properties): void {
    this.streams.resize(size);
  }

  /** Delivers an output until it ends. Without a follower it is dropped. */
  private async pump({ name, fd }: Output, drained: () => void): Promise<void> {
    for (let isDrained = false; ; ) {
      // Of the process itself, all output is in the pipe by now. Others that have it open may write for ever.
      const isLate = this.ended && !isDrained;
      const isReady = await readable(fd, isLate ? lateOutputTime : -1);
      const n = native.read(fd, buffer);
      if (n === -E.EAGAIN) {
        if (isLate && !isReady) {
          isDrained = true;
          drained();
        }
        continue;
      }
      // A terminal that no process has open gives EIO.
      if (n <= 0) return;
      if (this.followers.size === 0) continue;
      const message = api.ProcessEvent.encode({ [name]: buffer.subarray(0, n) }).finish();
      await Promise.all(
        [...this.followers].map((follower) => follower.sendBytes(message).catch(() => this.unfollow(follower))),
      );
    }
  }

  private async drain(): Promise<void> {
    this.ended = true;
    for (const { fd } of this.streams.outputs) forget(fd);
    this.begin();
    // Of an ended process: others that have the pipe open get end-of-file.
    void this.closeStdin();
    await Promise.all(this.drained);
  }
}
