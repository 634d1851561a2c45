/** flock(2) with a deadline. */
import { E } from '../errno.js';
import { native } from '../host.js';
import { LOCK_EX, LOCK_NB } from '../linux.js';
import { until } from './loop.js';

/**
 * Locks the file behind fd for this process alone.
 * @param timeout ms, -1 for no limit: the lock of a process ends with it
 * @returns 0, or -errno; -EAGAIN when another process keeps the lock
 */
export async function lock(fd: number, timeout: number): Promise<number> {
  let r = 0;
  await until(() => {
    r = native.flock(fd, LOCK_EX | LOCK_NB);
    return r !== -E.EAGAIN;
  }, timeout);
  return r;
}
