/** Where the state of all containers is when nobody says. */
import { host, native } from '../sys/host.js';
import { inUserNamespace } from './user-namespace.js';

/**
 * `/run/runt` for root, `$XDG_RUNTIME_DIR/runt` for another user and for one who is root only in his own user namespace
 * (the rule of runc, so that both look in the same kind of place). Undefined when there is none.
 */
export function defaultRoot(): string | undefined {
  const ids = new DataView(new ArrayBuffer(32));
  native.ids(new Uint8Array(ids.buffer));
  const ordinary = ids.getBigInt64(8, true) !== 0n;
  const runtimeDir = host.env.XDG_RUNTIME_DIR;
  if (runtimeDir && (ordinary || (host.env.USER !== 'root' && inUserNamespace()))) return `${runtimeDir}/runt`;
  return ordinary ? undefined : '/run/runt';
}
