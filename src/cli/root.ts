/** The root: the directory that holds the state of all containers. */
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { absolute } from './path.js';
import type { globals, Values } from './syntax.js';

/**
 * `--root`; else `/run/runt` for root, `$XDG_RUNTIME_DIR/runt` for another user and for one who is root only in his own
 * user namespace (the rule of runc, so that both look in the same kind of place). Throws ERR_USAGE when there is none.
 */
export function rootDirectory(global: Values<typeof globals>): string {
  const root = findRoot(global);
  if (root !== undefined) return root;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: 'no directory for the state of containers',
    hint: 'for a user who is not root it is $XDG_RUNTIME_DIR/runt, and XDG_RUNTIME_DIR is not set; --root DIR names another',
  });
}

/** The same, undefined when there is none. */
export function findRoot(global: Values<typeof globals>): string | undefined {
  if (global.root) return absolute(global.root);
  const ids = new DataView(new ArrayBuffer(32));
  native.ids(new Uint8Array(ids.buffer));
  const ordinary = ids.getBigInt64(8, true) !== 0n;
  const runtimeDir = host.env.XDG_RUNTIME_DIR;
  if (runtimeDir && (ordinary || (host.env.USER !== 'root' && inUserNamespace())))
    return absolute(`${runtimeDir}/runt`);
  return ordinary ? undefined : '/run/runt';
}

/** The initial user namespace maps all ids to themselves (user_namespaces(7)). */
function inUserNamespace(): boolean {
  const data = new Uint8Array(4096);
  const length = native.readFile(AT_FDCWD, '/proc/self/uid_map', data);
  if (length < 0) return false;
  const words = host.decode(data, length).split('\n')[0]!.split(' ');
  return words.filter((w) => w !== '').join(' ') !== '0 0 4294967295';
}
