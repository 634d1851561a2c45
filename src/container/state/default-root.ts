/** Where the state of all containers is when nobody says. */

import { callerIds } from '../../sys/caller-ids.js';
import { host } from '../../sys/host.js';
import { inUserNamespace } from '../launch/user-namespace.js';

/**
 * `/run/runt` for root, `$XDG_RUNTIME_DIR/runt` for another user and for one who is root only in his own user namespace
 * (the rule of runc, so that both look in the same kind of place). Undefined when there is none.
 */
export function defaultRoot(): string | undefined {
  const ordinary = callerIds().uid !== 0;
  const runtimeDir = host.env.XDG_RUNTIME_DIR;
  if (runtimeDir && (ordinary || (host.env.USER !== 'root' && inUserNamespace()))) return `${runtimeDir}/runt`;
  return ordinary ? undefined : '/run/runt';
}
