/** connect(2) to a unix socket by a path of any length. */

import { native } from '../host.js';
import { AT_FDCWD, O_PATH } from '../linux.js';
import { connectAt } from './connect-deadline.js';

/**
 * Connects through the directory's descriptor, because an address holds at most 107 bytes.
 * @returns the descriptor or -errno; -ETIMEDOUT if the listener's queue stays full
 */
export async function connectTo(path: string, timeout?: number): Promise<number> {
  const slash = path.lastIndexOf('/');
  const dir = native.openAt(AT_FDCWD, path.slice(0, slash) || '/', O_PATH, 0);
  if (dir < 0) return dir;
  try {
    return await connectAt(dir, path.slice(slash + 1), timeout);
  } finally {
    native.close(dir);
  }
}
