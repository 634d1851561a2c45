/** flock(2) with a deadline. */
import { E } from '../errno.js';
import { native } from '../host.js';
import { LOCK_EX, LOCK_NB } from '../linux.js';
import { pollUntil } from './loop.js';

/**
 * Takes the exclusive lock of the file behind fd.
 * @param timeout ms, -1 for no limit: the kernel releases the lock of a process that ends
 * @returns 0, or -errno; -EAGAIN if another process holds the lock
 */
export async function lock(fd: number, timeout: number): Promise<number> {
  let r = 0;
  await pollUntil(() => {
    r = native.flock(fd, LOCK_EX | LOCK_NB);
    return r !== -E.EAGAIN;
  }, timeout);
  return r;
}
