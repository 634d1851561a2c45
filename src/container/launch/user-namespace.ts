/** The runtime's own user namespace. */
import { tryReadText } from '../../sys/fs.js';

/**
 * Whether it differs from the initial one, which maps all 2^32-1 ids to themselves in one line (user_namespaces(7)). A
 * kernel without user namespaces lacks the file.
 */
export function isInUserNamespace(): boolean {
  const map = tryReadText('/proc/self/uid_map');
  return map !== undefined && !/^ *0 +0 +4294967295\n$/.test(map);
}
