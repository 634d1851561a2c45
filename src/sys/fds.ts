/** Descriptors: one that closes once, and those in the buffers that native functions take and fill. */
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

  /** Hands the descriptor over: the caller closes it. */
  release(): number {
    this.open = false;
    return this.number;
  }
}

/** For one that takes a list: i32 each. */
export const fdList = (fds: readonly number[]): Uint8Array<ArrayBuffer> => new Uint8Array(new Int32Array(fds).buffer);

/** Of one that fills 16 bytes with two ends, of a socket or a pipe. */
export function fdPair(buffer: Uint8Array): [first: number, second: number] {
  const view = new DataView(buffer.buffer);
  return [view.getInt32(0, true), view.getInt32(8, true)];
}
