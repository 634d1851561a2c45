/** File descriptors: an owner that closes one once, and the buffers of native functions that hold them. */
import { native } from './host.js';

/** A descriptor that closes once. */
export class OwnedFd {
  private open = true;

  /** @param number of an open descriptor; the object owns it from now on */
  constructor(readonly number: number) {}

  close(): void {
    if (this.open) native.close(this.number);
    this.open = false;
  }

  /** Gives up the ownership: the caller must close the descriptor. */
  release(): number {
    this.open = false;
    return this.number;
  }
}

/** Descriptors for a native function, i32 each. */
export const fdList = (fds: readonly number[]): Uint8Array<ArrayBuffer> => new Uint8Array(new Int32Array(fds).buffer);

/** The two descriptors of a socket pair or a pipe, from the 16 bytes that a native function fills. */
export function fdPair(buffer: Uint8Array): [first: number, second: number] {
  const view = new DataView(buffer.buffer);
  return [view.getInt32(0, true), view.getInt32(8, true)];
}
