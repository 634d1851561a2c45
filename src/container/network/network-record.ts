/** What the removal of a container's network needs, in a directory of its own. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { O_RDONLY } from '../../sys/linux.js';
import { lock } from '../../sys/waiting/file-lock.js';
import { networkLockTime } from '../../sys/waiting/time-limits.js';
import { defaultRoot } from '../state/default-root.js';
import { isSameDirectory, openRoot, openState, readEntry } from '../state/state-directory.js';
import { checkId, type RecordedProcess } from '../state/state-store.js';
import type { NetworkList } from './network-list.js';

/** Content of `network.json`. */
export interface NetworkRecord {
  /** As the option of `spec` names it, such as `bridge`. */
  readonly network: string;
  /** The container's first process. */
  readonly process: RecordedProcess;
  /** The CNI plugins with their config; absent if a user-space program connects the container. */
  readonly list?: NetworkList;
  /** Number of plugins whose ADD has begun. */
  readonly begun?: number;
  /** What the last CNI plugin returned. */
  readonly result?: unknown;
}

/** Directory of one container's network, under its lock. */
export interface NetworkDirectory {
  readonly path: string;
  /** Descriptor, for `readEntry`. */
  readonly fd: number;
}

const recordName = 'network.json';
/** The network namespace, bound: the plugins need it after the end of the container's processes. */
export const namespaceName = 'netns';

/** `/run/runt-net`, or `$XDG_RUNTIME_DIR/runt-net`. One for all state roots, as a host has one network. */
function networkRoot(): string {
  const root = defaultRoot();
  if (root !== undefined) return `${root}-net`;
  throw new RuntError({
    code: 'ERR_STATE',
    message: 'find the directory of networks: XDG_RUNTIME_DIR is not set',
    hint: 'set XDG_RUNTIME_DIR, as a login does',
  });
}

/**
 * Calls f with the locked directory of a container's network.
 * @param make makes a missing directory
 * @returns undefined if there is none
 * @throws RuntError ERR_STATE, ERR_STATE_UNSAFE
 */
export async function withNetwork<T>(
  id: string,
  make: boolean,
  f: (directory: NetworkDirectory) => Promise<T>,
): Promise<T | undefined> {
  checkId(id);
  const root = networkRoot();
  const path = `${root}/${id}`;
  const facts = { code: 'ERR_STATE', message: `open the network of ${id}`, path };
  for (;;) {
    if (make) {
      const made = native.mkdirAt(check(openRoot(root, true), facts), id, 0o700);
      if (made !== -E.EEXIST) check(made, facts);
    }
    const fd = openState(root, id, O_RDONLY);
    if (fd === -E.ENOENT) {
      if (make) continue;
      return undefined;
    }
    check(fd, facts);
    try {
      check(await lock(fd, networkLockTime), { ...facts, message: `lock the network of ${id}`, syscall: 'flock' });
      // A removal may have come first.
      if (isSameDirectory(root, id, fd)) return await f({ path, fd });
    } finally {
      native.close(fd);
    }
  }
}

export function saveNetwork({ path, fd }: NetworkDirectory, record: NetworkRecord): void {
  const r = native.replaceFile(fd, recordName, 0o600, host.encode(`${JSON.stringify(record)}\n`));
  check(r, { code: 'ERR_STATE', message: `write ${path}/${recordName}`, path: `${path}/${recordName}` });
}

/** The record; undefined if a killed `add` has not written it. @throws RuntError ERR_STATE, ERR_STATE_CORRUPT */
export function loadNetwork({ path, fd }: NetworkDirectory): NetworkRecord | undefined {
  const content = readEntry(fd, recordName);
  const facts = { message: `read ${path}/${recordName}`, path: `${path}/${recordName}` };
  if ('errno' in content) {
    if (content.errno === E.ENOENT) return undefined;
    throw new RuntError({ code: 'ERR_STATE', ...facts, errno: content.errno });
  }
  try {
    if ('data' in content) return JSON.parse(host.decode(content.data, content.data.length)) as NetworkRecord;
  } catch {
    // Told below.
  }
  throw new RuntError({ code: 'ERR_STATE_CORRUPT', ...facts, hint: `remove ${path} when nothing uses that network` });
}

/** Removes the directory, and the namespace that it holds. @throws RuntError ERR_STATE */
export function removeNetwork(id: string, { path }: NetworkDirectory): void {
  const facts = { code: 'ERR_STATE', message: `remove ${path}`, path };
  const unmounted = native.unmount(`${path}/${namespaceName}`);
  // Not a mount point: it was never bound, or in another mount namespace.
  if (unmounted !== -E.EINVAL && unmounted !== -E.ENOENT && unmounted !== -E.EPERM) {
    check(unmounted, { ...facts, syscall: 'umount2' });
  }
  check(native.removeTree(openRoot(networkRoot()), id), facts);
}
