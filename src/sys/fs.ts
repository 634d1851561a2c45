/** Files: a typed façade over the native file functions. Failures are RuntErrors with the code ERR_IO. */
import { E } from './errno.js';
import { RuntError } from './error.js';
import { host, native } from './host.js';
import { AT_FDCWD, F_OK, O_PATH } from './linux.js';

const FIRST_SIZE = 16384;
/**
 * For /proc/self/mountinfo of a host with many containers: a second read with a larger buffer would make the kernel hold
 * and write all mounts of the namespace again.
 */
export const LONG = 4 << 20;
/** No file that we read as a whole is larger: config.json is the largest. */
const MAX_SIZE = 16 << 20;

/** What stat(2) tells. */
interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly ino: bigint;
  readonly dev: bigint;
}

/** The output buffer, kept for the next call. */
let buffer: Uint8Array | undefined;

/**
 * Calls with a larger buffer each time until the output fits; the length or -errno. Never with more than is needed: for
 * a read of /proc/sys the kernel allocates as much.
 */
function fill(call: (out: Uint8Array) => number, size = FIRST_SIZE): number {
  for (;;) {
    if (!buffer || buffer.length < size) buffer = new Uint8Array(size);
    const length = call(buffer.length === size ? buffer : buffer.subarray(0, size));
    if (length !== -E.EOVERFLOW || size >= MAX_SIZE) return length;
    size *= 4;
  }
}

function fail(result: number, verb: string, path: string, syscall: string): never {
  throw new RuntError({ code: 'ERR_IO', message: `${verb} ${path}`, path, errno: -result, syscall });
}

/** True when a file that is not there explains the result. */
const isMissing = (result: number): boolean => result === -E.ENOENT || result === -E.ENOTDIR;

/** Names and paths need not be UTF-8. A large buffer is not kept: a shim may live for years. */
function text(length: number): string {
  const result = host.decodeRaw(buffer as Uint8Array, length);
  if ((buffer as Uint8Array).length > FIRST_SIZE) buffer = undefined;
  return result;
}

/** The bytes of a file of at most 16 MiB, in a buffer of their own. */
export function readBytes(path: string, dirfd = AT_FDCWD): Uint8Array {
  const length = fill((out) => native.readFile(dirfd, path, out));
  if (length < 0) fail(length, 'read', path, 'open');
  return (buffer as Uint8Array).slice(0, length);
}

/**
 * The bytes of a file that is mostly shorter than `first` and never longer than `most`, in a buffer of their own; else
 * -errno, -EOVERFLOW for a longer one.
 */
export function readAtMost(path: string, first: number, most: number): Uint8Array | number {
  let bytes = new Uint8Array(first);
  let length = native.readFile(AT_FDCWD, path, bytes);
  if (length === -E.EOVERFLOW) {
    bytes = new Uint8Array(most);
    length = native.readFile(AT_FDCWD, path, bytes);
  }
  return length < 0 ? length : bytes.subarray(0, length);
}

/** Why a path cannot be reached, as -errno of access(2); 0 when it can. */
export const reach = (path: string): number => native.access(path, F_OK);

/** The text of a file of at most 16 MiB; `first` is the size of the buffer for a first attempt. */
export function readText(path: string, dirfd = AT_FDCWD, first = FIRST_SIZE): string {
  const length = fill((out) => native.readFile(dirfd, path, out), first);
  if (length < 0) fail(length, 'read', path, 'open');
  return text(length);
}

/** As readText; undefined when there is no such file. */
export function tryReadText(path: string, dirfd = AT_FDCWD): string | undefined {
  const length = fill((out) => native.readFile(dirfd, path, out));
  if (isMissing(length)) return undefined;
  if (length < 0) fail(length, 'read', path, 'open');
  return text(length);
}

/** The names in a directory, without . and .., in the kernel's order. */
export function listDir(path: string, dirfd = AT_FDCWD): string[] {
  const length = fill((out) => native.readDir(dirfd, path, out));
  if (length < 0) fail(length, 'list', path, 'getdents64');
  return length === 0 ? [] : text(length - 1).split('\0');
}

/** As listDir; undefined when there is no such directory. */
export function tryListDir(path: string, dirfd = AT_FDCWD): string[] | undefined {
  const length = fill((out) => native.readDir(dirfd, path, out));
  if (isMissing(length)) return undefined;
  if (length < 0) fail(length, 'list', path, 'getdents64');
  return length === 0 ? [] : text(length - 1).split('\0');
}

/** The target of a symlink; a name in it need not be UTF-8 (decodeRaw). */
export function readLink(path: string, dirfd = AT_FDCWD): string {
  const length = fill((out) => native.readLink(dirfd, path, out));
  if (length < 0) fail(length, 'read the link', path, 'readlink');
  return text(length);
}

/** A path without symlinks and `..`; '' where it cannot be opened. */
export function realPath(path: string): string {
  const fd = native.openAt(AT_FDCWD, path, O_PATH, 0);
  if (fd < 0) return '';
  const real = readLink(`/proc/self/fd/${fd}`);
  native.close(fd);
  return real;
}

/** What stat(2) tells, symlinks followed unless `flags` holds AT_SYMLINK_NOFOLLOW; undefined when nothing is there. */
export function tryStat(path: string, dirfd = AT_FDCWD, flags = 0): Stat | undefined {
  const out = new Uint8Array(64);
  const result = native.stat(dirfd, path, flags, out);
  if (isMissing(result)) return undefined;
  if (result < 0) fail(result, 'stat', path, 'newfstatat');
  const [mode, uid, gid, size, ino, dev] = new BigInt64Array(out.buffer) as unknown as bigint[];
  return {
    mode: Number(mode),
    uid: Number(uid),
    gid: Number(gid),
    size: Number(size),
    ino: BigInt.asUintN(64, ino as bigint),
    dev: BigInt.asUintN(64, dev as bigint),
  };
}

/** As tryStat; throws when nothing is there. */
export function stat(path: string, dirfd = AT_FDCWD, flags = 0): Stat {
  return tryStat(path, dirfd, flags) ?? fail(-E.ENOENT, 'stat', path, 'newfstatat');
}

/** Whether something is at path; what cannot be looked at is an error, not a "no". */
export function exists(path: string): boolean {
  const result = native.access(path, 0);
  if (result < 0 && !isMissing(result)) fail(result, 'look for', path, 'faccessat');
  return result === 0;
}

/** Writes `data` in one write(2). Flags are added to O_WRONLY|O_CLOEXEC: O_CREAT and O_TRUNC are the caller's to give. */
export function write(path: string, data: string | Uint8Array, flags = 0, mode = 0o600, dirfd = AT_FDCWD): void {
  const bytes = typeof data === 'string' ? host.encode(data) : data;
  const result = native.writeFile(dirfd, path, flags, mode, bytes);
  if (result < 0) fail(result, 'write', path, 'write');
}

/** Replaces a file: readers see the old or the new text, never a part. */
export function replace(path: string, data: string | Uint8Array, mode = 0o600, dirfd = AT_FDCWD): void {
  const result = native.replaceFile(dirfd, path, mode, typeof data === 'string' ? host.encode(data) : data);
  if (result < 0) fail(result, 'replace', path, 'rename');
}

/** Makes a directory; false when something is there already. */
export function makeDir(path: string, mode = 0o755, dirfd = AT_FDCWD): boolean {
  const result = native.mkdirAt(dirfd, path, mode);
  if (result === -E.EEXIST) return false;
  if (result < 0) fail(result, 'make the directory', path, 'mkdir');
  return true;
}

/** Makes the directories above a path that are missing. @throws RuntError ERR_IO */
export function makeParents(path: string, mode = 0o755): void {
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) makeDir(path.slice(0, at), mode);
}
