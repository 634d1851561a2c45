/** Cache of compiled seccomp programs: libseccomp needs 10 to 25 ms for a large profile. */
import type { Op } from '../../../plan/plan-ops.js';
import { concatenate } from '../../../sys/append.js';
import { E } from '../../../sys/errno.js';
import { host, native } from '../../../sys/host.js';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_RDONLY, S_IFDIR, S_IFMT, S_IFREG } from '../../../sys/linux.js';
import { Protocol } from '../../../sys/protocol.js';
import { commit, version } from '../../../sys/runt-version.js';
import { packProfile, refusedPointer } from '../../../sys/seccomp/seccomp-profile.js';
import { OpFailed } from '../../failure/op-failed.js';
import { openRoot } from '../../state/state-directory.js';

type ProgramOp = Extract<Op, { op: 'seccompProgram' }>;

/** The cache removes its oldest programs beyond this number. */
const maxPrograms = 64;
/** BPF_MAXINSNS instructions of 8 bytes. */
const maxProgram = 4096 * 8;
const directory = '.seccomp';

/**
 * Opens a file with the program of a profile and its SHA-256 digest. Ignores a cache that it cannot use. The cache
 * `.seccomp` is below the root directory, where no container has its name: an id does not begin with a dot.
 * @throws OpFailed when libseccomp refuses the profile
 */
export function openProgram(op: ProgramOp, root: string, euid: number): number {
  const profile = packProfile(op.profile);
  const name = cacheName(profile);
  const dir = openDirectory(root, euid);
  try {
    const cached = dir < 0 ? -1 : openCached(dir, name, euid);
    if (cached >= 0) return cached;
    const file = compileProgram(op, profile, name);
    if (dir >= 0) storeProgram(dir, name, file);
    const fd = native.sealedFile(file);
    if (fd < 0) throw new OpFailed({ op, errno: -fd, syscall: 'memfd_create', detail: '' });
    return fd;
  } finally {
    if (dir >= 0) native.close(dir);
  }
}

/**
 * SHA-256 of all that decides the program: the packed profile, the builds of runt and of libseccomp, and the machine.
 * The build of runt counts because native/core/seccomp.c does.
 */
function cacheName(profile: Uint8Array): string {
  const libseccomp = new Uint8Array(128);
  const n = Math.max(0, native.seccompVersion(libseccomp));
  const build = host.encode(`${version()} ${commit()} `);
  const hashed = concatenate([profile, build, libseccomp.subarray(0, n)]);
  let name = '';
  for (const byte of digest(hashed)) name += byte.toString(16).padStart(2, '0');
  return name;
}

function digest(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(Protocol.DIGEST_SIZE);
  native.sha256(data, out);
  return out;
}

/** Digest of a program and its file name, so that a program under another's name is not used. */
const seal = (program: Uint8Array, name: string): Uint8Array => digest(concatenate([program, host.encode(name)]));

/** Whether no other user may have written the file. */
function isOurs(fd: number, type: number, euid: number): boolean {
  const out = new Uint8Array(64);
  if (native.stat(fd, '', AT_EMPTY_PATH, out) < 0) return false;
  const view = new DataView(out.buffer);
  const mode = Number(view.getBigInt64(0, true));
  return (mode & S_IFMT) === type && (mode & 0o077) === 0 && Number(view.getBigInt64(8, true)) === euid;
}

/** Opens the directory, and makes it if missing; -1 if that fails or another user may write to it. */
function openDirectory(root: string, euid: number): number {
  const parent = openRoot(root);
  if (parent < 0) return -1;
  let fd = native.openDirectory(parent, directory, O_RDONLY);
  if (fd === -E.ENOENT) {
    native.mkdirAt(parent, directory, 0o700);
    fd = native.openDirectory(parent, directory, O_RDONLY);
  }
  if (fd < 0) return -1;
  if (isOurs(fd, S_IFDIR, euid)) return fd;
  native.close(fd);
  return -1;
}

/** Opens a cached program; -1 if there is none. Removes a broken one. */
function openCached(dir: number, name: string, euid: number): number {
  const fd = native.openEntry(dir, name, O_RDONLY);
  if (fd < 0) return -1;
  if (isOurs(fd, S_IFREG, euid) && isIntact(fd, name)) return fd;
  native.close(fd);
  native.unlinkAt(dir, name, 0);
  return -1;
}

function isIntact(fd: number, name: string): boolean {
  const data = new Uint8Array(maxProgram + Protocol.DIGEST_SIZE + 1);
  const n = native.read(fd, data);
  if (n <= Protocol.DIGEST_SIZE || n > maxProgram + Protocol.DIGEST_SIZE || n % 8 !== 0) return false;
  const expected = seal(data.subarray(0, n - Protocol.DIGEST_SIZE), name);
  return expected.every((byte, i) => data[n - Protocol.DIGEST_SIZE + i] === byte);
}

/** @returns the file's content: program and digest */
function compileProgram(op: ProgramOp, profile: Uint8Array, name: string): Uint8Array {
  const out = new Uint8Array(maxProgram + Protocol.DIGEST_SIZE);
  const n = native.compileSeccomp(profile, out.subarray(0, maxProgram));
  if (n < 0) {
    const at = `${op.at}${refusedPointer(op.profile, out)}`;
    throw new OpFailed({ op: { ...op, at }, errno: -n, syscall: 'libseccomp', detail: '' });
  }
  out.set(seal(out.subarray(0, n), name), n);
  return out.slice(0, n + Protocol.DIGEST_SIZE);
}

/** Stores a program. If that fails, the next create compiles it again. */
function storeProgram(dir: number, name: string, file: Uint8Array): void {
  if (native.replaceFile(dir, name, 0o600, file) >= 0) removeOldest(dir);
}

/** Modification time in ns. */
function modifiedAt(dir: number, name: string): bigint {
  const out = new Uint8Array(64);
  if (native.stat(dir, name, AT_SYMLINK_NOFOLLOW, out) < 0) return 0n;
  return new DataView(out.buffer).getBigInt64(56, true);
}

function removeOldest(dir: number): void {
  const buffer = new Uint8Array(65536);
  const n = native.readDir(dir, '.', buffer);
  if (n <= 0) return;
  const names = host.decode(buffer, n).split('\0').filter(Boolean);
  if (names.length <= maxPrograms) return;
  const byAge = names.map((name) => ({ name, time: modifiedAt(dir, name) })).sort((a, b) => (a.time < b.time ? -1 : 1));
  for (const { name } of byAge.slice(0, names.length - maxPrograms)) native.unlinkAt(dir, name, 0);
}
