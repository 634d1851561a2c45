/** The state root and its directories, opened once and checked: runt executes (hooks) and removes their content. */

import { callerIds } from '../../sys/caller-ids.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  LOCK_EX,
  LOCK_NB,
  O_PATH,
  O_RDONLY,
  S_IFMT,
  S_IFREG,
  S_ISVTX,
  S_IWGRP,
  S_IWOTH,
} from '../../sys/linux.js';
import { isInUserNamespace } from '../launch/user-namespace.js';

/** The kernel's limit for one path (path_resolution(7)). */
const maxLinks = 40;
/** The id that shows an unmapped id, unless /proc/sys/kernel/overflowuid differs (user_namespaces(7)). */
const overflowId = 65534;
/** A state file has some KB; annotations can make it longer. */
const maxFile = 16 << 20;

/** Each used root, with a descriptor (O_PATH) that stays open: a command resolves its path once. */
const roots = new Map<string, number>();
/** Directories that this process has locked. Operations under the lock use exactly these. */
const lockedDirectories = new Map<string, number>();
const warnedPaths = new Set<string>();
let warningListener: ((sentence: string) => void) | undefined;
let knownEuid: number | undefined;
let knownNamespaced: boolean | undefined;

/** Sets the receiver of the warning that the owner's group may write to a directory. */
export function onStateWarning(f: (sentence: string) => void): void {
  warningListener = f;
}

interface Facts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function factsOf(fd: number): Facts {
  const out = new BigInt64Array(8);
  const r = native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(out.buffer));
  if (r < 0) throw new RuntError({ code: 'ERR_STATE', message: 'stat an open file', errno: -r, syscall: 'newfstatat' });
  return { mode: Number(out[0]), uid: Number(out[1]), gid: Number(out[2]) };
}

function euid(): number {
  knownEuid ??= callerIds().uid;
  return knownEuid;
}

function isNamespaced(): boolean {
  knownNamespaced ??= isInUserNamespace();
  return knownNamespaced;
}

function unsafeError(path: string, why: string, hint: string): RuntError {
  return new RuntError({
    code: 'ERR_STATE_UNSAFE',
    message: `use ${path} for the state of containers: ${why}`,
    path,
    hint,
  });
}

const tooOpenError = (path: string, why: string, mode: string): RuntError =>
  unsafeError(path, why, `run chmod ${mode} ${path}, or choose another --root`);

function foreignError(path: string, uid: number): RuntError {
  return unsafeError(
    path,
    `it belongs to user ${uid}, and runt runs as user ${euid()}`,
    euid() === 0 ? `run it as that user (sudo -u '#${uid}' runt …), or choose another --root` : 'choose another --root',
  );
}

/**
 * In a user namespace, unmapped owners (the real root and other outside users) show as overflowId: of `/` and `/run`,
 * for example.
 */
const isUnmapped = (uid: number): boolean => uid === overflowId && isNamespaced();

/**
 * Checks a parent directory. A user who may rename its entries could substitute another directory of ours, such as one
 * of a root file system with an image's files. In a sticky one only an entry's owner may; that is checked next.
 */
function checkParent(fd: number, path: string): void {
  const { mode, uid, gid } = factsOf(fd);
  if (uid !== 0 && uid !== euid() && !isUnmapped(uid)) throw foreignError(path, uid);
  if ((mode & S_ISVTX) !== 0) return;
  if ((mode & S_IWOTH) !== 0) {
    throw tooOpenError(path, 'every user may rename what is in it', '+t');
  }
  // Many systems give an ordinary user umask 0002 and his own group.
  if ((mode & S_IWGRP) !== 0 && gid !== 0 && euid() === 0 && !isNamespaced()) {
    throw tooOpenError(path, `group ${gid} may rename what is in it`, 'g-w');
  }
}

/** Checks the root or a directory below it: only its owner and root may have written what we read, or may swap it. */
function checkDirectory(fd: number, path: string): void {
  const { mode, uid } = factsOf(fd);
  if (uid !== euid() && uid !== 0) throw foreignError(path, uid);
  if ((mode & S_IWOTH) !== 0) {
    throw tooOpenError(path, 'every user may write to it', 'o-w');
  }
  if ((mode & S_IWGRP) === 0) return;
  if (euid() === 0 && !isNamespaced()) {
    throw tooOpenError(path, 'its group may write to it', 'g-w');
  }
  if (warnedPaths.has(path)) return;
  warnedPaths.add(path);
  warningListener?.(`the group of ${path} may change the state of your containers: run chmod g-w ${path}`);
}

/**
 * Target of a symbolic link that root or this user owns; undefined if it is not a symbolic link.
 * @throws RuntError ERR_STATE_UNSAFE
 */
function linkTarget(dir: number, name: string, path: string): string | undefined {
  const fd = native.openEntry(dir, name, O_PATH);
  if (fd < 0) return undefined;
  try {
    const target = new Uint8Array(4096);
    const n = native.readLink(fd, '', target);
    if (n < 0) return undefined;
    const { uid } = factsOf(fd);
    if (uid !== 0 && uid !== euid() && !isUnmapped(uid)) throw foreignError(path, uid);
    return host.decodeRaw(target, n);
  } finally {
    native.close(fd);
  }
}

const splitPath = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/**
 * Resolves an absolute path by component, and checks each directory.
 * @param mode makes missing directories with it
 * @returns a descriptor (O_PATH), which the caller closes, or -errno
 * @throws RuntError ERR_STATE_UNSAFE
 */
export function openPath(path: string, mode?: number): number {
  let names = splitPath(path);
  let [links, current] = [0, ''];
  let at = native.openDirectory(AT_FDCWD, '/', O_PATH);
  try {
    while (at >= 0) {
      const name = names.shift();
      if (name === undefined) {
        checkDirectory(at, current || '/');
        return at;
      }
      checkParent(at, current || '/');
      let next = native.openDirectory(at, name, O_PATH);
      if (next === -E.ENOENT && mode !== undefined) {
        // The umask must not close a directory that others are to search.
        const made = native.mkdirAt(at, name, mode) || (mode === 0o700 ? 0 : native.chmodAt(at, name, mode));
        next = made < 0 && made !== -E.EEXIST ? made : native.openDirectory(at, name, O_PATH);
      }
      const target = next === -E.ENOTDIR ? linkTarget(at, name, `${current}/${name}`) : undefined;
      if (target !== undefined) {
        if (++links > maxLinks) next = -E.ELOOP;
        else {
          names = [...splitPath(target), ...names];
          if (target[0] !== '/') continue;
          next = native.openDirectory(AT_FDCWD, '/', O_PATH);
          current = '';
        }
      } else current = name === '..' ? current.slice(0, current.lastIndexOf('/')) : `${current}/${name}`;
      native.close(at);
      at = next;
    }
    return at;
  } catch (error) {
    native.close(at);
    throw error;
  }
}

/**
 * Opens and checks the root; `make` makes a missing one. The caller must not close the descriptor (O_PATH).
 * @returns -errno if it cannot be opened
 * @throws RuntError ERR_STATE_UNSAFE
 */
export function openRoot(root: string, make = false): number {
  const known = roots.get(root);
  if (known !== undefined) return known;
  const fd = openPath(root, make ? 0o700 : undefined);
  if (fd >= 0) roots.set(root, fd);
  return fd;
}

/** Closes all roots: for a thread of Node.js that ends before the program. */
export function closeRoots(): void {
  for (const fd of roots.values()) native.close(fd);
  roots.clear();
}

/**
 * Closes a root that was removed and may have been replaced, so that a long-running program (library, shim) opens the
 * new one.
 * @returns whether it was removed
 */
export function forgetRemoved(root: string): boolean {
  const fd = roots.get(root);
  if (fd === undefined) return false;
  const link = new Uint8Array(8192);
  const n = native.readLink(AT_FDCWD, `/proc/self/fd/${fd}`, link);
  if (n < 0 || !host.decodeRaw(link, n).endsWith(' (deleted)')) return false;
  native.close(fd);
  roots.delete(root);
  return true;
}

/**
 * Opens and checks a directory in a checked one; -errno if it cannot be opened. The caller closes the descriptor.
 * @param path its name in errors
 * @throws RuntError ERR_STATE_UNSAFE
 */
export function openBelow(dir: number, name: string, path: string, flags: number = O_PATH): number {
  const fd = native.openDirectory(dir, name, flags);
  if (fd === -E.ENOTDIR) {
    const type = new Uint8Array(1);
    if (native.readLink(dir, name, type) === -E.EOVERFLOW) {
      throw unsafeError(path, symlinkFault, 'remove it: runt makes no links there');
    }
  }
  if (fd < 0) return fd;
  try {
    checkDirectory(fd, path);
    return fd;
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

/**
 * Opens a container's state directory; -errno if it cannot be opened. The caller closes it.
 * @throws RuntError ERR_STATE_UNSAFE
 */
export function openState(root: string, id: string, flags: number = O_PATH): number {
  const dir = openRoot(root);
  const state = dir < 0 ? dir : openBelow(dir, id, `${root}/${id}`, flags);
  return state === -E.ENOENT && forgetRemoved(root) ? openState(root, id, flags) : state;
}

/** Calls f with a container's state directory, or -errno if it cannot be opened; closes it afterwards. */
export function withState<T>(root: string, id: string, f: (dir: number) => T, flags: number = O_PATH): T {
  const locked = lockedDirectories.get(`${root}/${id}`);
  if (locked !== undefined) return f(locked);
  const dir = openState(root, id, flags);
  try {
    return f(dir);
  } finally {
    if (dir >= 0) native.close(dir);
  }
}

/** Until f ends, `fd` is the state directory. */
export async function withLockedDirectory<T>(root: string, id: string, fd: number, f: () => Promise<T>): Promise<T> {
  lockedDirectories.set(`${root}/${id}`, fd);
  try {
    return await f();
  } finally {
    lockedDirectories.delete(`${root}/${id}`);
  }
}

/**
 * Whether the name still refers to that directory: during a wait, others may have removed it and made another.
 * @throws RuntError ERR_STATE if neither is certain
 */
export function isSameDirectory(root: string, id: string, fd: number): boolean {
  const dir = openRoot(root);
  const [ours, named] = [new BigInt64Array(8), new BigInt64Array(8)];
  const stats = [
    native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(ours.buffer)),
    dir < 0 ? dir : native.stat(dir, id, AT_SYMLINK_NOFOLLOW, new Uint8Array(named.buffer)),
  ];
  for (const r of stats) {
    if (r === -E.ENOENT || r === -E.ENOTDIR) return false;
    check(r, { code: 'ERR_STATE', message: `look for the state directory ${root}/${id}`, path: `${root}/${id}` });
  }
  return ours[4] === named[4] && ours[5] === named[5];
}

/** Attempts to lock: only another process in `isLocked` holds a lock for so short a time. */
export const lockAttempts = 100;

/**
 * Whether another process holds a state directory's lock, or makes any state directory (claim-id.ts).
 * @throws RuntError ERR_STATE if neither is certain
 */
export function isLocked(root: string, id: string): boolean {
  return (lockedDirectories.has(`${root}/${id}`) ? ['.'] : ['.', id]).some((name) => {
    const path = `${root}/${name}`;
    const parent = openRoot(root);
    const dir = parent < 0 ? parent : openBelow(parent, name, path, O_RDONLY);
    if (dir === -E.ENOENT || dir === -E.ENOTDIR) return false;
    const facts = { code: 'ERR_STATE', message: `lock the state ${path}`, path };
    let r = check(dir, facts);
    for (let i = 0; i < lockAttempts; i++) {
      r = native.flock(dir, LOCK_EX | LOCK_NB);
      if (r !== -E.EAGAIN) break;
    }
    native.close(dir);
    if (r !== -E.EAGAIN) check(r, { ...facts, syscall: 'flock' });
    return r < 0;
  });
}

/** Content of a file in a state directory, or the reason it is unusable: an errno, or a fault of the file. */
type Content = { readonly data: Uint8Array } | { readonly errno: number } | { readonly why: string };

const symlinkFault = 'it is a symbolic link';
const irregularFault = 'it is not a regular file';

/** Reads a regular file of ours. Never blocks, as opening a FIFO would. */
export function readEntry(dir: number, name: string): Content {
  if (dir < 0) return { errno: -dir };
  const fd = native.openEntry(dir, name, O_RDONLY);
  if (fd === -E.ELOOP) return { why: symlinkFault };
  if (fd === -E.ENXIO) return { why: irregularFault };
  if (fd < 0) return { errno: -fd };
  try {
    const { mode, uid } = factsOf(fd);
    if ((mode & S_IFMT) !== S_IFREG) return { why: irregularFault };
    if (uid !== euid() && uid !== 0) return { why: `it belongs to user ${uid}` };
    if ((mode & (S_IWGRP | S_IWOTH)) !== 0) return { why: 'other users may write to it' };
    return readAll(fd);
  } finally {
    native.close(fd);
  }
}

function readAll(fd: number): Content {
  let data = new Uint8Array(8192);
  let length = 0;
  for (;;) {
    const n = native.read(fd, data.subarray(length));
    if (n < 0) return { errno: -n };
    if (n === 0) return { data: data.subarray(0, length) };
    length += n;
    if (length < data.length) continue;
    if (length >= maxFile) return { why: 'it is longer than 16 MiB' };
    const more = new Uint8Array(data.length * 8);
    more.set(data);
    data = more;
  }
}

/**
 * Text of a file; undefined if it is missing, or runt did not write it.
 * @throws RuntError ERR_STATE if it is unreadable
 */
export function entryText(dir: number, name: string): string | undefined {
  const content = readEntry(dir, name);
  if ('errno' in content && content.errno !== E.ENOENT && content.errno !== E.ENOTDIR) {
    throw new RuntError({ code: 'ERR_STATE', message: `read ${name} of the state`, errno: content.errno });
  }
  return 'data' in content ? host.decode(content.data, content.data.length) : undefined;
}
