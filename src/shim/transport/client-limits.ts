/** What the clients of a server hold together: connections, messages that are not whole yet, and calls. */
import { now } from '../../sys/waiting/loop.js';
import { refusalLogInterval } from '../../sys/waiting/time-limits.js';

export interface ClientLimits {
  /** Each has two descriptors. */
  readonly connections: number;
  /** Of messages of which the end has not arrived. A single one is at most 4 MiB. */
  readonly bytes: number;
  /** Without an answer yet; containerd has one, a Wait, for each process. */
  readonly calls: number;
}

const usual: ClientLimits = { connections: 256, bytes: 8 << 20, calls: 8192 };

/** A connection that has begun to receive a message. */
export interface Receiver {
  /** Bytes of memory that it takes for that. */
  readonly held: number;
  /** Frees them: the call is answered with an error, and the rest of the message is skipped. */
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
    private readonly limits: ClientLimits = usual,
  ) {}

  /** Whether one more may connect. Whoever gets true calls `left` in the end. */
  connect(): boolean {
    if (this.connections < this.limits.connections) {
      this.connections++;
      return true;
    }
    this.tell(`a connection is closed: there are ${this.limits.connections} already`);
    return false;
  }

  left(): void {
    this.connections--;
  }

  /** Whether one more call may begin. Whoever gets true calls `answered` in the end. */
  call(): boolean {
    if (this.calls >= this.limits.calls) return false;
    this.calls++;
    return true;
  }

  answered(): void {
    this.calls--;
  }

  /**
   * Whether a connection may take `size` bytes in place of those that it holds. When all take too much the longest
   * unfinished message is refused: a short one is taken whatever others have announced and not sent.
   */
  take(receiver: Receiver, size: number): boolean {
    this.receivers.add(receiver);
    const sizeOf = (r: Receiver): number => (r === receiver ? size : r.held);
    for (;;) {
      let [sum, longest] = [0, receiver];
      for (const r of this.receivers) {
        sum += sizeOf(r);
        if (sizeOf(r) > sizeOf(longest)) longest = r;
      }
      if (sum <= this.limits.bytes) return true;
      const why = `the messages that clients are sending take more than ${this.limits.bytes >> 20} MiB`;
      this.tell(`a message is refused: ${why}`);
      longest.refuse(why);
      if (longest === receiver) return false;
    }
  }

  /** It holds nothing any more. */
  free(receiver: Receiver): void {
    this.receivers.delete(receiver);
  }

  tell(line: string): void {
    const time = now();
    if (time - this.logged < refusalLogInterval) {
      this.unlogged++;
      return;
    }
    this.log(this.unlogged > 0 ? `${line} (and ${this.unlogged} more since the last line)` : line);
    [this.logged, this.unlogged] = [time, 0];
  }
}
