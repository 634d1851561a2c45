/** The user namespace that the runtime runs in. */
import { tryReadText } from '../../sys/fs.js';

/**
 * Whether it is another one than the first, which maps all of the 2^32-1 ids to themselves in one line
 * (user_namespaces(7)). A kernel without user namespaces has no such file.
 */
export function inUserNamespace(): boolean {
  const map = tryReadText('/proc/self/uid_map');
  return map !== undefined && !/^ *0 +0 +4294967295\n$/.test(map);
}
