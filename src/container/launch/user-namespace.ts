/** The user namespace that the runtime runs in. */
import { E } from '../../sys/errno.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

/**
 * Whether it is another one than the first, which maps all of the 2^32-1 ids to themselves in one line
 * (user_namespaces(7)). A kernel without user namespaces has no such file.
 */
export function inUserNamespace(): boolean {
  // More than one line does not fit: a map of its own.
  const data = new Uint8Array(64);
  const n = native.readFile(AT_FDCWD, '/proc/self/uid_map', data);
  if (n < 0) return n === -E.EOVERFLOW;
  return !/^ *0 +0 +4294967295\n$/.test(host.decode(data, n));
}
