/** Reading from a pipe, socket or terminal that somebody else writes to. */
import { concatenate } from '../append.js';
import { check } from '../error.js';
import { native } from '../host.js';
import { readable } from './loop.js';

/**
 * What is read from a descriptor until its end, or until it is at least `limit` bytes. Has no deadline.
 * @throws RuntError with these facts
 */
export async function readToEnd(fd: number, limit: number, facts: Parameters<typeof check>[1]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let length = 0; length < limit; ) {
    const data = new Uint8Array(65536);
    await readable(fd);
    const n = check(native.read(fd, data), facts);
    if (n === 0) break;
    parts.push(data.subarray(0, n));
    length += n;
  }
  return concatenate(parts);
}
