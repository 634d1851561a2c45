/** The buffers that native functions read and fill. */
import { E } from '../../../src/sys/errno.js';

/** Writes integers into an `out` buffer, 64 bits each, little-endian. */
export function putIntegers(data: Uint8Array, values: readonly (number | bigint)[]): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  values.forEach((value, i) => {
    view.setBigInt64(8 * i, BigInt(value), true);
  });
}

/** Fills an `out` buffer. @returns the length, or -EOVERFLOW if it does not fit */
export function fillBytes(data: Uint8Array, bytes: Uint8Array): number {
  if (bytes.length > data.length) return -E.EOVERFLOW;
  data.set(bytes);
  return bytes.length;
}

/** The descriptors of a list of i32. */
export const integersOf = (list: Uint8Array): number[] => [
  ...new Int32Array(list.buffer.slice(list.byteOffset, list.byteOffset + list.length)),
];

/** The texts of a list, each terminated by NUL. */
export const textsOf = (list: Uint8Array): string[] => new TextDecoder().decode(list).split('\0').slice(0, -1);
