/** Connecting to a Unix socket by its path, however long that is. */
import { native } from '../sys/host.js';
import { AT_FDCWD, O_PATH } from '../sys/linux.js';

/** By its directory: an address has room for 107 bytes. The descriptor, or -errno. */
export function connectTo(path: string): number {
  const slash = path.lastIndexOf('/');
  const dir = native.openAt(AT_FDCWD, path.slice(0, slash) || '/', O_PATH, 0);
  if (dir < 0) return dir;
  const socket = native.unixConnect(dir, path.slice(slash + 1));
  native.close(dir);
  return socket;
}
