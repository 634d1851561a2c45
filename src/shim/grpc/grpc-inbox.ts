/** The messages of a gRPC call as they arrive: a flag, the length as big-endian u32, the message. */
import { Code, StatusError } from '../transport/status-code.js';

/** Bytes before a message. */
export const HEADER = 5;
/** The longest message, as in containerd. */
export const MAX_MESSAGE = 4 << 20;
/** A smaller buffer is not counted (client-limits.ts). */
export const uncounted = 1024;

const nothing = new Uint8Array(0);

export class Inbox {
  private data = nothing;
  /** The unread bytes are those from `start` to `end`. */
  private start = 0;
  private end = 0;

  /** Bytes of the buffer. */
  get size(): number {
    return this.data.length;
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  /** Whether there are bytes after the first message. @throws StatusError as `take` */
  get hasMore(): boolean {
    return this.end - this.start > this.messageSize();
  }

  /**
   * Appends bytes.
   * @param reserve whether the buffer may grow to that many bytes; if not, it is dropped
   * @throws StatusError as `take`
   */
  append(bytes: Uint8Array, reserve: (size: number) => boolean): void {
    const unread = this.end - this.start;
    if (this.end + bytes.length > this.data.length) {
      let to = this.data;
      const needed = unread + bytes.length;
      if (needed > to.length) {
        // Doubled, but not beyond the message's end.
        const size = Math.max(needed, Math.min(2 * to.length, this.messageSize()));
        if (size > uncounted && !reserve(size)) return;
        to = new Uint8Array(size);
      }
      to.set(this.data.subarray(this.start, this.end));
      this.data = to;
      this.start = 0;
      this.end = unread;
    }
    this.data.set(bytes, this.end);
    this.end += bytes.length;
  }

  /**
   * Takes the first message; undefined if it is not complete.
   * @throws StatusError if it is compressed or too long
   */
  take(): Uint8Array | undefined {
    const size = this.messageSize();
    if (this.end - this.start < size) return undefined;
    const [from, to] = [this.start + HEADER, this.start + size];
    this.start = to;
    if (!this.isEmpty) return this.data.slice(from, to);
    const message = this.data.subarray(from, to);
    this.clear();
    return message;
  }

  clear(): void {
    this.data = nothing;
    this.start = 0;
    this.end = 0;
  }

  /** Bytes of the first message with its header; only the header's while that is not complete. @throws StatusError */
  private messageSize(): number {
    if (this.end - this.start < HEADER) return HEADER;
    const view = new DataView(this.data.buffer, this.data.byteOffset + this.start, HEADER);
    const flag = view.getUint8(0);
    if (flag === 1) throw new StatusError(Code.UNIMPLEMENTED, 'compressed messages are not supported');
    if (flag !== 0) throw new StatusError(Code.INTERNAL, `a message has the flag ${flag}`);
    const length = view.getUint32(1);
    if (length > MAX_MESSAGE) {
      throw new StatusError(Code.RESOURCE_EXHAUSTED, `a message of ${length} bytes is longer than ${MAX_MESSAGE}`);
    }
    return HEADER + length;
  }
}
