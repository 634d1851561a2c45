/** The default root directory of all containers' state. */

import { callerIds } from '../../sys/caller-ids.js';
import { host } from '../../sys/host.js';
import { isInUserNamespace } from '../launch/user-namespace.js';

/**
 * `/run/runt` for root; `$XDG_RUNTIME_DIR/runt` for other users and for root of a user namespace only. The rule is
 * runc's, so that both choose alike. Undefined for another user without XDG_RUNTIME_DIR.
 */
export function defaultRoot(): string | undefined {
  const ordinary = callerIds().uid !== 0;
  const runtimeDir = host.env.XDG_RUNTIME_DIR;
  if (runtimeDir && (ordinary || (host.env.USER !== 'root' && isInUserNamespace()))) return `${runtimeDir}/runt`;
  return ordinary ? undefined : '/run/runt';
}
