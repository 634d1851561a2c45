/** Root and the start socket of another user's container: runt-init listens to the user who created it, and no other. */
import { native } from '../sys/host.js';
import { callerIds } from '../sys/ids.js';
import { AT_EMPTY_PATH } from '../sys/linux.js';

/**
 * Connects again, to a socket below the directory `dir`, as the owner of that directory.
 * @returns the connection; -1 when this process is not root, or root's is the directory: nothing would change
 */
export function connectAsOwner(dir: number, name: string): number {
  const stat = new Uint8Array(64);
  if (native.stat(dir, '', AT_EMPTY_PATH, stat) < 0) return -1;
  const owner = new DataView(stat.buffer).getBigInt64(8, true);
  return callerIds().uid === 0 && owner !== 0n ? native.unixConnectAs(dir, name, Number(owner)) : -1;
}
