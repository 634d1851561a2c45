/** `list`: the states of all containers below a root. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { forgetRemoved, openRoot } from './state/state-directory.js';
import { loadRecord } from './state/state-store.js';
import { type ContainerState, describe } from './state.js';

interface ListOptions {
  readonly root: string;
  /** Whether a missing root is an error; else it holds no containers. */
  readonly mustExist?: boolean;
  /** Receives one sentence for each unusable state. */
  readonly warn?: (sentence: string) => void;
  /** Receives the error if a container's status is unknown; when absent, the error is thrown. */
  readonly unknown?: (error: RuntError) => void;
}

/**
 * States of all containers, by name. Skips entries that are not containers, or are being removed. Only warns of an
 * unusable state, which is left to `delete --force`, as runc does: it must not hide the others.
 * @throws RuntError ERR_STATE if the root is unreadable; ERR_PROCESS, ERR_CGROUP if a status is unknown
 */
export function list(o: ListOptions): ContainerState[] {
  return each(o, (name) => describe(o.root, loadRecord(o.root, name)));
}

/** The ids of the same containers; reads no process. @throws RuntError ERR_STATE if the root is unreadable */
export function listIds(o: ListOptions): string[] {
  return each(o, (name) => loadRecord(o.root, name).id);
}

/** The result of `find` for each name below the root. */
function each<T>(o: ListOptions, find: (name: string) => T): T[] {
  const found: T[] = [];
  for (const name of names(o.root, o.mustExist)) {
    try {
      found.push(find(name));
    } catch (error) {
      const code = error instanceof RuntError ? error.code : '';
      if (code.startsWith('ERR_STATE')) o.warn?.((error as RuntError).message);
      else if (code === 'ERR_CONTAINER_ID' || code === 'ERR_NO_CONTAINER') continue;
      else if (o.unknown && error instanceof RuntError) o.unknown(error);
      else throw error;
    }
  }
  return found;
}

/**
 * All names below a root, including those that are not containers. None for a missing root, unless it must exist.
 * @throws RuntError ERR_STATE, ERR_STATE_UNSAFE
 */
export function names(root: string, mustExist = false): string[] {
  let buffer = new Uint8Array(65536);
  for (;;) {
    const dir = openRoot(root);
    const n = dir < 0 ? dir : native.readDir(dir, '.', buffer);
    if (n <= 0 && forgetRemoved(root)) continue;
    if (n === -E.ENOENT && !mustExist) return [];
    if (n === -E.EOVERFLOW) {
      buffer = new Uint8Array(buffer.length * 8);
      continue;
    }
    if (n < 0)
      throw new RuntError({ code: 'ERR_STATE', message: `read the root directory ${root}`, path: root, errno: -n });
    return host.decodeRaw(buffer, n).split('\0').filter(Boolean).sort();
  }
}
