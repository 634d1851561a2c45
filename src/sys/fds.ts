/** Descriptors in the buffers that native functions take and fill. */

/** For one that takes a list: i32 each. */
export const fdList = (fds: readonly number[]): Uint8Array<ArrayBuffer> => new Uint8Array(new Int32Array(fds).buffer);

/** Of one that fills 16 bytes with two ends, of a socket or a pipe. */
export function fdPair(buffer: Uint8Array): [first: number, second: number] {
  const view = new DataView(buffer.buffer);
  return [view.getInt32(0, true), view.getInt32(8, true)];
}
