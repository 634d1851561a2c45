/** File functions over the native ones. Failures are RuntErrors with the code ERR_IO. */
import { E } from './errno.js';
import { RuntError } from './error.js';
import { host, native } from './host.js';
import { AT_FDCWD, F_OK, O_PATH } from './linux.js';

/** Enough for most files of /proc and /sys; with the header of its block, a page. */
const FIRST_SIZE = 4080;
/**
 * First buffer size for /proc/self/mountinfo, which is long on a host with many containers: a second read would make
 * the kernel lock and format all mounts of the namespace again.
 */
export const LONG_FILE = 4 << 20;
/** Limit for files that we read whole; config.json is the largest. */
const MAX_SIZE = 16 << 20;

/** The results of stat(2). */
export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly ino: bigint;
  readonly dev: bigint;
  /** Device number of a node. */
  readonly rdev: bigint;
}

/** The output buffer, which the next call reuses. */
let buffer: Uint8Array | undefined;

/**
 * Repeats `call` with larger buffers until the output fits; the length or -errno. It starts small, because a read of
 * /proc/sys makes the kernel allocate as much as the buffer has.
 */
function readGrowing(call: (out: Uint8Array) => number, size = FIRST_SIZE): number {
  for (;;) {
    if (!buffer || buffer.length < size) buffer = new Uint8Array(size);
    const length = call(buffer.length === size ? buffer : buffer.subarray(0, size));
    if (length !== -E.EOVERFLOW || size >= MAX_SIZE) return length;
    size = Math.min(size * 4, MAX_SIZE);
  }
}

function throwError(result: number, verb: string, path: string, syscall: string): never {
  const facts = { code: 'ERR_IO', message: `${verb} ${path}`, path, errno: -result, syscall };
  throw new RuntError(
    result === -E.ENXIO
      ? { ...facts, hint: 'write to this FIFO, or name a regular file: no program writes to it' }
      : facts,
  );
}

/** Whether the result means that the file does not exist. */
const isMissing = (result: number): boolean => result === -E.ENOENT || result === -E.ENOTDIR;

/** Decodes the buffer; names and paths may be other than UTF-8. Drops a large buffer: a shim may live for years. */
function bufferText(length: number): string {
  const result = host.decodeRaw(buffer as Uint8Array, length);
  if ((buffer as Uint8Array).length > FIRST_SIZE) buffer = undefined;
  return result;
}

/** The bytes of a file of at most 16 MiB, in a new buffer. */
export function readBytes(path: string, dirfd = AT_FDCWD): Uint8Array {
  const length = readGrowing((out) => native.readFile(dirfd, path, out));
  if (length < 0) throwError(length, 'read', path, 'open');
  return (buffer as Uint8Array).slice(0, length);
}

/**
 * The bytes of a file that is usually shorter than `first` and never longer than `max`, in a new buffer of less than
 * twice its length, or of `first` bytes; or -errno, -EOVERFLOW for a longer file.
 */
export function readAtMost(path: string, first: number, max: number): Uint8Array | number {
  for (let size = first; ; ) {
    const bytes = new Uint8Array(size);
    const length = native.readFile(AT_FDCWD, path, bytes);
    if (length >= 0) return bytes.subarray(0, length);
    if (length !== -E.EOVERFLOW || size >= max) return length;
    // One byte more than a regular file has shows its end. Others have no size, or grow.
    size = Math.min(Math.max(size * 2, (tryStat(path)?.size ?? 0) + 1), max);
  }
}

/** Checks with access(2) that a path can be reached: 0 or -errno. */
export const checkExists = (path: string): number => native.access(path, F_OK);

/** The text of a file of at most 16 MiB. @param first size of the first buffer */
export function readText(path: string, dirfd = AT_FDCWD, first = FIRST_SIZE): string {
  const length = readGrowing((out) => native.readFile(dirfd, path, out), first);
  if (length < 0) throwError(length, 'read', path, 'open');
  return bufferText(length);
}

/** As readText; undefined if the file does not exist. */
export function tryReadText(path: string, dirfd = AT_FDCWD): string | undefined {
  const length = readGrowing((out) => native.readFile(dirfd, path, out));
  if (isMissing(length)) return undefined;
  if (length < 0) throwError(length, 'read', path, 'open');
  return bufferText(length);
}

/** The names in a directory, without . and .., in the kernel's order. */
export function listDir(path: string, dirfd = AT_FDCWD): string[] {
  const length = readGrowing((out) => native.readDir(dirfd, path, out));
  if (length < 0) throwError(length, 'list', path, 'getdents64');
  return length === 0 ? [] : bufferText(length - 1).split('\0');
}

/** As listDir; undefined if the directory does not exist. */
export function tryListDir(path: string, dirfd = AT_FDCWD): string[] | undefined {
  const length = readGrowing((out) => native.readDir(dirfd, path, out));
  if (isMissing(length)) return undefined;
  if (length < 0) throwError(length, 'list', path, 'getdents64');
  return length === 0 ? [] : bufferText(length - 1).split('\0');
}

/** The target of a symlink, which may be other than UTF-8 (decodeRaw). */
export function readLink(path: string, dirfd = AT_FDCWD): string {
  const length = readGrowing((out) => native.readLink(dirfd, path, out));
  if (length < 0) throwError(length, 'read the link', path, 'readlink');
  return bufferText(length);
}

/** As readLink; undefined if it is missing. */
export function tryReadLink(path: string): string | undefined {
  const length = readGrowing((out) => native.readLink(AT_FDCWD, path, out));
  if (isMissing(length)) return undefined;
  if (length < 0) throwError(length, 'read the link', path, 'readlink');
  return bufferText(length);
}

/** A path without symlinks and `..`; '' if it cannot be opened. */
export function realPath(path: string): string {
  const fd = native.openAt(AT_FDCWD, path, O_PATH, 0);
  if (fd < 0) return '';
  const real = readLink(`/proc/self/fd/${fd}`);
  native.close(fd);
  return real;
}

/** stat(2), follows symlinks unless `flags` has AT_SYMLINK_NOFOLLOW; undefined if the path does not exist. */
export function tryStat(path: string, dirfd = AT_FDCWD, flags = 0): Stat | undefined {
  const out = new Uint8Array(64);
  const result = native.stat(dirfd, path, flags, out);
  if (isMissing(result)) return undefined;
  if (result < 0) throwError(result, 'stat', path, 'newfstatat');
  const values = new BigUint64Array(out.buffer);
  return {
    mode: Number(values[0]),
    uid: Number(values[1]),
    gid: Number(values[2]),
    size: Number(values[3]),
    ino: values[4] as bigint,
    dev: values[5] as bigint,
    rdev: values[6] as bigint,
  };
}

/** As tryStat; throws if the path does not exist. */
export function stat(path: string, dirfd = AT_FDCWD, flags = 0): Stat {
  return tryStat(path, dirfd, flags) ?? throwError(-E.ENOENT, 'stat', path, 'newfstatat');
}

/** Whether a path exists. Throws if that cannot be determined. */
export function exists(path: string): boolean {
  const result = native.access(path, 0);
  if (result < 0 && !isMissing(result)) throwError(result, 'look for', path, 'faccessat');
  return result === 0;
}

/** Writes `data` in one write(2). @param flags added to O_WRONLY|O_CLOEXEC, such as O_CREAT and O_TRUNC */
export function writeFile(path: string, data: string | Uint8Array, flags = 0, mode = 0o600, dirfd = AT_FDCWD): void {
  const bytes = typeof data === 'string' ? host.encode(data) : data;
  const result = native.writeFile(dirfd, path, flags, mode, bytes);
  if (result < 0) throwError(result, 'write', path, 'write');
}

/** Makes a directory; false if the path exists already. */
export function makeDir(path: string, mode = 0o755, dirfd = AT_FDCWD): boolean {
  const result = native.mkdirAt(dirfd, path, mode);
  if (result === -E.EEXIST) return false;
  if (result < 0) throwError(result, 'make the directory', path, 'mkdir');
  return true;
}

/** Makes the missing parent directories of a path. @param made gets those that it made @throws RuntError ERR_IO */
export function makeParents(path: string, mode = 0o755, made: string[] = []): void {
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    const parent = path.slice(0, at);
    if (makeDir(parent, mode)) made.push(parent);
  }
}
