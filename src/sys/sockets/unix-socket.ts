/** Connecting to a Unix socket by its path, however long that is. */

import { native } from '../host.js';
import { AT_FDCWD, O_PATH } from '../linux.js';
import { connectAt } from './connect-deadline.js';

/** By its directory: an address has room for 107 bytes. The descriptor, or -errno; -ETIMEDOUT when nobody accepts. */
export async function connectTo(path: string, patience?: number): Promise<number> {
  const slash = path.lastIndexOf('/');
  const dir = native.openAt(AT_FDCWD, path.slice(0, slash) || '/', O_PATH, 0);
  if (dir < 0) return dir;
  try {
    return await connectAt(dir, path.slice(slash + 1), patience);
  } finally {
    native.close(dir);
  }
}
