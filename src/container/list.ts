/** `list`: every container below a root. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { forgetRemoved, openRoot } from './state/state-directory.js';
import { load } from './state/state-store.js';
import { type ContainerState, describe } from './state.js';

interface ListOptions {
  readonly root: string;
  /** Takes a sentence about each container whose state cannot be used. */
  readonly warn?: (sentence: string) => void;
  /** Takes why the status of a container cannot be known; without it that is thrown. */
  readonly unknown?: (error: RuntError) => void;
}

/**
 * States of all containers, by name. What is no container, and one that is removed meanwhile, is left out; one whose
 * state cannot be used, so that only `delete --force` has a use for it, is a warning, as for runc: it cannot hide the others.
 * @throws RuntError ERR_STATE when the root cannot be read; ERR_PROCESS, ERR_CGROUP when a status cannot be known
 */
export function list(o: ListOptions): ContainerState[] {
  const states: ContainerState[] = [];
  for (const name of names(o.root)) {
    try {
      states.push(describe(o.root, load(o.root, name)));
    } catch (error) {
      const code = error instanceof RuntError ? error.code : '';
      if (code.startsWith('ERR_STATE')) o.warn?.((error as RuntError).message);
      else if (code === 'ERR_CONTAINER_ID' || code === 'ERR_NO_CONTAINER') continue;
      else if (o.unknown && error instanceof RuntError) o.unknown(error);
      else throw error;
    }
  }
  return states;
}

/** The names below a root; what is no container has one too. @throws RuntError ERR_STATE, ERR_STATE_UNSAFE */
export function names(root: string): string[] {
  let buffer = new Uint8Array(65536);
  for (;;) {
    const dir = openRoot(root);
    const n = dir < 0 ? dir : native.readDir(dir, '.', buffer);
    if (n <= 0 && forgetRemoved(root)) continue;
    if (n === -E.ENOENT) return [];
    if (n === -E.EOVERFLOW) {
      buffer = new Uint8Array(buffer.length * 8);
      continue;
    }
    if (n < 0)
      throw new RuntError({ code: 'ERR_STATE', message: `read the root directory ${root}`, path: root, errno: -n });
    return host.decodeRaw(buffer, n).split('\0').filter(Boolean).sort();
  }
}
