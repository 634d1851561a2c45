/** The state directory `<root>/<id>`, also the lock: `state.json`, `config.json`, `plan-rest.json`, `start.sock`. */

import type { RecordedHooks } from '../../plan/hooks/hook-compile.js';
import { E } from '../../sys/errno.js';
import { isOutOfMemory, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, LOCK_EX, LOCK_NB, O_RDONLY } from '../../sys/linux.js';
import { lock } from '../../sys/waiting/file-lock.js';
import {
  isLocked,
  isSameDirectory,
  openRoot,
  openState,
  readEntry,
  withLockedDirectory,
  withState,
} from './state-directory.js';

/** A process, identified by its start time too: /proc/PID/stat, field 22. */
export interface RecordedProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** A systemd unit. */
export interface RecordedUnit {
  readonly name: string;
  /** Bus of the user's session manager; absent for the system manager. */
  readonly bus?: { readonly path: string; readonly daemon: boolean };
  /** systemd's values may differ from the cgroup's: an `update` ended before systemd answered. */
  readonly unsettled?: true;
}

/** The record of a container; format version 1. */
export interface ContainerRecord {
  readonly version: 1;
  readonly ociVersion: string;
  readonly id: string;
  /** 'creating' until runt-init waits for start; later statuses are read from the process. */
  status: 'creating' | 'created';
  /** 0 before the clone. */
  pid: number;
  /** Start time of the pid in clock ticks since boot (/proc/PID/stat, field 22): a reused pid has another. */
  startTime: string;
  readonly bundle: string;
  /** Absolute path of the config if it is not the bundle's config.json. */
  readonly config?: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** When `run` let its process start; absent after `create`, whose `start` writes a file. RFC 3339, UTC. */
  started?: string;
  readonly owner: number;
  readonly annotations?: { readonly [key: string]: string };
  /** The hooks that run after the create. */
  readonly hooks?: RecordedHooks;
  /** The supervisor's process, if any. */
  supervisor?: RecordedProcess;
  /** The supervisor ends it with other processes, and then removes its cgroups. */
  readonly follows?: true;
  /** The pid namespace of the recorded pids: `pid:[INODE]`. */
  readonly pidsIn?: string;
  /** The process that creates it, while the status is 'creating'. */
  creator?: RecordedProcess;
  /** Absolute directories of the cgroups made for it. */
  readonly cgroups: readonly string[];
  /** The container's systemd unit, whose cgroup is in `cgroups`. */
  readonly unit?: RecordedUnit;
  /** Directories of its resctrl groups, in the order of their removal. */
  readonly rdt?: readonly string[];
  /** Directories of its fresh layers (`X-runt.ephemeral`). */
  readonly layers?: readonly string[];
  /** `--no-new-keyring`: it uses its creator's keyring, and so does an exec. */
  readonly noNewKeyring?: true;
  /** The init process has its own pid namespace: its end ends all processes. */
  readonly pidNamespace: boolean;
}

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

export const startSocket = 'start.sock';
/** When `start` let the process of a supervised container start: ns since 1970, in decimal. */
export const startTimeFile = 'started';
/** Root for criu's restore, which requires a mount of its own, not covered by another. */
export const criuRoot = 'criu-root';
export const stateFile = 'state.json';
/** A copy of the config used by the create: the bundle's may change or vanish (runtime.md#lifecycle). */
export const configFile = 'config.json';
/** The operations that remain when the process waits for start (plan-rest.ts). */
export const planRestFile = 'plan-rest.json';

/** Whether a name is a valid id: a single safe path component. */
export const isId = (name: string): boolean => name.length <= 255 && /^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$/.test(name);

/** @throws RuntError ERR_CONTAINER_ID for an invalid id */
export function checkId(id: string): void {
  if (!isId(id)) {
    throw new RuntError({
      code: 'ERR_CONTAINER_ID',
      message: `invalid container ID format: ${JSON.stringify(id)}`,
      hint: 'use 1 to 255 characters of A-Z a-z 0-9 _ + - and, not first, a dot',
    });
  }
}

/** The error of an operation on a path of the state; `r` is -errno. */
export const stateError = (verb: string, path: string, r: number): RuntError =>
  new RuntError({ code: 'ERR_STATE', message: `${verb} ${path}`, path, errno: -r });

/** Whether a directory has that entry; `dir` may be -ENOENT. @throws RuntError ERR_STATE if neither is certain */
export function isEntry(dir: number, name: string): boolean {
  const r = dir < 0 ? dir : native.stat(dir, name, AT_SYMLINK_NOFOLLOW, new Uint8Array(64));
  if (r < 0 && !isMissing(r)) {
    throw new RuntError({
      code: 'ERR_STATE',
      message: `look for ${name} in the state`,
      errno: -r,
      syscall: 'newfstatat',
    });
  }
  return r >= 0;
}

const unknownError = (root: string, id: string): RuntError =>
  new RuntError({ code: 'ERR_NO_CONTAINER', message: `container does not exist: ${id}`, path: `${root}/${id}` });

/** The directory does not exist, or a parent of the root is a file. */
const isMissing = (result: number): boolean => result === -E.ENOENT || result === -E.ENOTDIR;

/**
 * Reads the record of a container.
 * @throws RuntError ERR_NO_CONTAINER, ERR_STATE_CORRUPT, ERR_STATE_VERSION, ERR_STATE_UNSAFE, ERR_STATE
 */
export function loadRecord(root: string, id: string): ContainerRecord {
  checkId(id);
  return withState(root, id, (dir) => {
    const path = `${root}/${id}/${stateFile}`;
    if (isMissing(dir)) throw unknownError(root, id);
    let content = readEntry(dir, stateFile);
    if ('errno' in content && content.errno === E.ENOENT) {
      // A create makes it, or a delete removes it.
      if (isLocked(root, id)) throw unknownError(root, id);
      // A create may have just written it.
      content = readEntry(dir, stateFile);
    }
    if ('why' in content) throw corruptError(id, path, content.why);
    if ('errno' in content) {
      const { errno } = content;
      if (errno !== E.ENOENT) throw stateError('read the state', path, -errno);
      // A delete has removed it; or its create or delete was killed.
      if (!isSameDirectory(root, id, dir)) throw unknownError(root, id);
      throw corruptError(id, path, 'it has no state.json, because its create or delete was killed');
    }
    return parseState(content.data, id, path);
  });
}

/** @throws RuntError ERR_STATE_CORRUPT, ERR_STATE_VERSION */
export function parseState(data: Uint8Array, id: string, path: string): ContainerRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(host.decode(data, data.length));
  } catch (e) {
    if (isOutOfMemory(e)) throw e;
    throw corruptError(id, path, String(e));
  }
  return verifyRecord(parsed, id, path);
}

function verifyRecord(value: unknown, id: string, path: string): ContainerRecord {
  if (typeof value !== 'object' || value === null) throw corruptError(id, path, 'it is not an object');
  const r = value as Partial<{ [K in keyof ContainerRecord]: unknown }>;
  if (r.version !== 1) throw versionError(id, path, r.version);
  const strings = [r.ociVersion, r.bundle, r.rootfs, r.created, r.startTime, r.config ?? '', r.pidsIn ?? ''];
  const ok =
    r.id === id &&
    (r.status === 'creating' || r.status === 'created') &&
    isPid(r.pid) &&
    [r.supervisor, r.creator].every(isProcess) &&
    strings.every(isString) &&
    typeof r.owner === 'number' &&
    typeof r.pidNamespace === 'boolean' &&
    isMap(r.annotations ?? {}, isString) &&
    isMap(r.hooks ?? {}, isHooks) &&
    (r.unit === undefined || isUnit(r.unit)) &&
    [r.cgroups, r.rdt ?? [], r.layers ?? []].every(isPaths);
  if (!ok) throw corruptError(id, path, 'a field has the wrong type');
  return value as ContainerRecord;
}

/** The error for another format version, whatever else the record holds. */
function versionError(id: string, path: string, version: unknown): RuntError {
  if (typeof version !== 'number') return corruptError(id, path, 'it has no format version');
  return new RuntError({
    code: 'ERR_STATE_VERSION',
    message: `the state of container ${id} has format version ${version}, and this runt reads version 1`,
    path,
    hint: `use the runt that made it, or run "runt delete --force ${id}", which ends and removes the container`,
  });
}

/** The kernel and the native calls take a pid as a 32-bit integer. */
export const isPid = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31;

function isProcess(value: unknown): boolean {
  if (value === undefined) return true;
  const { pid, startTime } = (value ?? {}) as { pid?: unknown; startTime?: unknown };
  return isPid(pid) && isString(startTime);
}

function isUnit(value: unknown): boolean {
  const { name, bus } = (value ?? {}) as { name?: unknown; bus?: { path?: unknown; daemon?: unknown } | null };
  return isString(name) && (bus === undefined || (isString(bus?.path) && typeof bus?.daemon === 'boolean'));
}

const isString = (value: unknown): boolean => typeof value === 'string';

const isMap = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every(isItem);

/** Hooks of one point; the operations of their plan check the rest. */
const isHooks = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((hook) => isString(hook?.path) && [hook.args, hook.env].every((list = []) => isMap(list, isString)));

const isPaths = (value: unknown): boolean =>
  Array.isArray(value) && value.every((c) => typeof c === 'string' && c.startsWith('/'));

const corruptError = (id: string, path: string, why: string): RuntError =>
  new RuntError({
    code: 'ERR_STATE_CORRUPT',
    message: `the state of container ${id} cannot be used: ${why}`,
    path,
    hint: `run "runt delete --force ${id}": it ends what the state still names, and removes the rest`,
  });

/**
 * Runs f under the container's lock, which is on the state directory and ends with this process.
 * @throws RuntError ERR_NO_CONTAINER, ERR_STATE, ERR_STATE_UNSAFE
 */
export async function withLock<T>(root: string, id: string, f: () => Promise<T>): Promise<T> {
  checkId(id);
  for (;;) {
    const fd = openState(root, id, O_RDONLY);
    if (isMissing(fd)) throw unknownError(root, id);
    if (fd < 0) {
      throw stateError('open the state', `${root}/${id}`, fd);
    }
    try {
      const r = await lock(fd, -1);
      if (r < 0) throw new RuntError({ code: 'ERR_STATE', message: `lock container ${id}`, errno: -r });
      // The previous holder may have removed the directory, and others may have made a new one.
      if (isSameDirectory(root, id, fd)) return await withLockedDirectory(root, id, fd, f);
    } finally {
      native.close(fd);
    }
  }
}

/**
 * Removes the state directory: first the known files, then whatever tree is left.
 * @throws RuntError ERR_STATE, ERR_STATE_UNSAFE
 */
export function removeStateDir(root: string, id: string): void {
  const r = withState(root, id, (dir) => (dir < 0 ? dir : removeDirectory(openRoot(root), id, dir)), O_RDONLY);
  if (r < 0 && r !== -E.ENOENT) {
    throw stateError('remove the state', `${root}/${id}`, r);
  }
}

function removeDirectory(parent: number, id: string, dir: number): number {
  // An undo has no lock: others must not take what it removes for the rest of a killed command.
  native.flock(dir, LOCK_EX | LOCK_NB);
  for (const name of [startSocket, planRestFile, configFile, stateFile]) native.unlinkAt(dir, name, 0);
  let r = native.unlinkAt(parent, id, AT_REMOVEDIR);
  // The mount of a killed restore: its files are the bundle's.
  if (r === -E.ENOTEMPTY) native.unmount(`/proc/self/fd/${dir}/${criuRoot}`);
  // Twice: a command that just failed may have stored its error in between.
  for (let i = 0; i < 2 && r === -E.ENOTEMPTY; i++) r = native.removeTree(parent, id);
  return r;
}
