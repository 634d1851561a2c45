/** Limits of all clients of a server together: connections, unfinished messages and calls. */
import { now } from '../../sys/waiting/loop.js';
import { refusalLogInterval } from '../../sys/waiting/time-limits.js';

export interface ClientLimits {
  /** Each takes two descriptors. */
  readonly connections: number;
  /** Bytes of unfinished messages. One message is at most 4 MiB. */
  readonly bytes: number;
  /** Unanswered calls; containerd keeps one, a Wait, for each process. */
  readonly calls: number;
}

const defaultLimits: ClientLimits = { connections: 256, bytes: 8 << 20, calls: 8192 };

/** A connection that has received part of a message. */
export interface Receiver {
  /** Bytes of its buffer for that message. */
  readonly bufferSize: number;
  /** Frees them, answers the call with an error and skips the rest of the message. */
  refuse(why: string): void;
}

export class Clients {
  private connections = 0;
  private calls = 0;
  private readonly receivers = new Set<Receiver>();
  private logged = Number.NEGATIVE_INFINITY;
  private unlogged = 0;

  constructor(
    private readonly log: (line: string) => void,
    private readonly limits: ClientLimits = defaultLimits,
  ) {}

  /** Whether one more client may connect. After true, call `disconnect` at the end. */
  connect(): boolean {
    if (this.connections < this.limits.connections) {
      this.connections++;
      return true;
    }
    this.logRefusal(`a connection is closed: there are ${this.limits.connections} already`);
    return false;
  }

  disconnect(): void {
    this.connections--;
  }

  /** Whether one more call may begin. After true, call `endCall` at the end. */
  beginCall(): boolean {
    if (this.calls >= this.limits.calls) return false;
    this.calls++;
    return true;
  }

  endCall(): void {
    this.calls--;
  }

  /**
   * Whether a connection may replace its buffer by one of `size` bytes. Over the limit, refuses the longest unfinished
   * message: clients that announce long messages and do not send them cannot block short ones.
   */
  reserve(receiver: Receiver, size: number): boolean {
    this.receivers.add(receiver);
    const sizeOf = (r: Receiver): number => (r === receiver ? size : r.bufferSize);
    for (;;) {
      let [sum, longest] = [0, receiver];
      for (const r of this.receivers) {
        sum += sizeOf(r);
        if (sizeOf(r) > sizeOf(longest)) longest = r;
      }
      if (sum <= this.limits.bytes) return true;
      const why = `the messages that clients are sending take more than ${this.limits.bytes >> 20} MiB`;
      this.logRefusal(`a message is refused: ${why}`);
      longest.refuse(why);
      if (longest === receiver) return false;
    }
  }

  /** Forgets a connection that has no unfinished message. */
  release(receiver: Receiver): void {
    this.receivers.delete(receiver);
  }

  logRefusal(line: string): void {
    const time = now();
    if (time - this.logged < refusalLogInterval) {
      this.unlogged++;
      return;
    }
    this.log(this.unlogged > 0 ? `${line} (and ${this.unlogged} more since the last line)` : line);
    [this.logged, this.unlogged] = [time, 0];
  }
}
