/**
 * The script that both hosts run (abi.test.ts): at least one case for every native function, with its results and
 * errors. Values that differ from run to run (descriptors, pids, times) are recorded as their kind.
 */
import { abi, type Native } from '../../src/sys/abi.js';
import { host, native } from '../../src/sys/host.js';
import {
  AT_FDCWD,
  CLONE_NEWUSER,
  LOCK_EX,
  LOCK_NB,
  O_CREAT,
  O_EXCL,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  O_TRUNC,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
} from '../../src/sys/linux.js';
import { packProfile, type SeccompProfile } from '../../src/sys/seccomp/seccomp-profile.js';

type Name = keyof typeof abi;
type Line = { call: string; result: string };

/** The transcript of one host. */
class Transcript {
  readonly lines: Line[] = [];

  /** Calls a function and records the value, `-errno` or the exception. `kind` replaces a value ≥ 0. */
  call(name: Name, args: unknown[], kind?: string): number {
    let value: unknown;
    let result: string;
    const { args: shapes } = abi[name];
    try {
      value = (native[name] as (...a: unknown[]) => unknown)(...args);
      result = `${typeof value} ${kind !== undefined && Number(value) >= 0 ? kind : String(value)}`;
    } catch (error) {
      result = `${(error as Error).name}: ${(error as Error).message}`;
    }
    this.lines.push({ call: `${name}(${args.map((a, i) => show(a, shapes[i]?.[0])).join(', ')})`, result });
    return Number(value);
  }

  note(what: string, value: unknown): void {
    this.lines.push({ call: what, result: String(value) });
  }
}

/**
 * Arguments whose number differs from run to run; numbers that no case opens (9997 and above) are recorded unchanged.
 */
const DESCRIPTORS = new Set([
  'dirfd',
  'fd',
  'pidfd',
  'socket',
  'sync',
  'stdin',
  'stdout',
  'stderr',
  'cgroup',
  'from',
  'to',
  'ns',
]);

/** An argument as a transcript has it: no descriptor, no directory of the run. */
function show(value: unknown, argument = ''): string {
  if (value instanceof Uint8Array) return `bytes[${value.length}]`;
  if (DESCRIPTORS.has(argument) && typeof value === 'number' && value > 2 && value < 9000) return 'fd';
  if (argument === 'pid' && typeof value === 'number' && value === native.pid()) return 'own pid';
  if (typeof value === 'string') return JSON.stringify(value.replace(/^\/.*\/(node|quickjs)(?=\/|$)/, 'DIR'));
  return typeof value === 'number' ? String(value) : `${typeof value} ${String(value)}`;
}

const bytes = (text: string): Uint8Array => host.encode(text);
const text = (data: Uint8Array, length: number): string => host.decode(data, Math.max(length, 0));
const longs = (data: Uint8Array): bigint[] =>
  Array.from(new BigInt64Array(data.buffer, data.byteOffset, data.length >> 3));
const ints = (...values: number[]): Uint8Array => new Uint8Array(new Int32Array(values).buffer);
const sorted = (list: string): string => list.split('\0').filter(Boolean).sort().join(' ');

/** The master of a new pair, through which the mode of the slave is visible. */
const openMaster = (): number => native.openAt(AT_FDCWD, '/dev/ptmx', O_RDWR | O_NOCTTY, 0);

/** Waits until the child of a pidfd has ended, and records the results of waitPidfd. */
function wait(t: Transcript, pidfd: number): void {
  const out = new Uint8Array(16);
  native.watch(pidfd, 1);
  native.ready(new Uint8Array(4), 60000);
  t.call('waitPidfd', [pidfd, out]);
  t.note('how it ended', longs(out));
  t.call('waitPidfd', [pidfd, out]);
  native.close(pidfd);
}

type Case = (t: Transcript, dir: string, file: string) => void;

/** `dir` is an empty directory, `file` a file in it that holds "0123456789". */
const cases: Record<Name, Case> = {
  openAt(t, dir, file) {
    native.close(t.call('openAt', [AT_FDCWD, file, 0, 0], 'fd'));
    t.call('openAt', [AT_FDCWD, `${dir}/none`, 0, 0]);
    t.call('openAt', [-7, 'relative', 0, 0]);
    const fd = t.call('openAt', [AT_FDCWD, file, 0, 0], 'fd');
    t.note('close-on-exec', /flags:\s+02/.test(procText(`/proc/self/fdinfo/${fd}`)));
    native.close(fd);
    t.call('openAt', [AT_FDCWD, 'a\0b', 0, 0]);
    t.call('openAt', [AT_FDCWD, 'a\ud800b', 0, 0]);
    // A name that is not UTF-8 is a valid name.
    t.call('openAt', [AT_FDCWD, 'a\udcffb', 0, 0]);
    t.call('openAt', [AT_FDCWD, '\udfff', 0, 0]);
    t.call('openAt', [AT_FDCWD, `${dir}/ünï-😀`, 0, 0]);
    t.call('openAt', [AT_FDCWD, 7, 0, 0]);
    t.call('openAt', ['3', file, 0, 0]);
    t.call('openAt', [1.5, file, 0, 0]);
    t.call('openAt', [2 ** 31, file, 0, 0]);
    t.call('openAt', [-(2 ** 31) - 1, file, 0, 0]);
    t.call('openAt', [Number.NaN, file, 0, 0]);
    t.call('openAt', [3n, file, 0, 0]);
    t.call('openAt', [undefined, file, 0, 0]);
    t.call('openAt', [AT_FDCWD, file, 0]);
    t.call('openAt', [AT_FDCWD, file, 0, 0, 0]);
  },
  openAt2(t, dir, file) {
    native.close(t.call('openAt2', [AT_FDCWD, file, 0, 0, 0], 'fd'));
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    t.call('openAt2', [fd, '../..', 0, 0, 8]);
    native.close(t.call('openAt2', [fd, '../../..', 0, 0, 16], 'fd'));
    t.call('openAt2', [fd, 'file', 0, 0, 0x4000]);
    t.call('openAt2', [AT_FDCWD, file, 0, 0o600, 0]);
    native.close(fd);
  },
  openDirectory(t, dir) {
    const fd = t.call('openDirectory', [AT_FDCWD, dir, 0], 'fd');
    native.close(t.call('openDirectory', [fd, '..', O_PATH], 'fd'));
    for (const name of ['file', 'none']) t.call('openDirectory', [fd, name, 0]);
    // A link is never followed.
    t.call('openDirectory', [AT_FDCWD, '/proc/self/cwd', 0]);
    native.close(fd);
  },
  openEntry(t, dir, file) {
    const fd = t.call('openEntry', [AT_FDCWD, file, 0], 'fd');
    const data = new Uint8Array(16);
    t.note('reads', text(data, native.read(fd, data)));
    native.close(fd);
    const link = t.call('openEntry', [AT_FDCWD, '/proc/self/cwd', O_PATH], 'fd');
    t.note('a link itself', native.readLink(link, '', new Uint8Array(4096)) > 0);
    native.close(link);
    t.call('openEntry', [AT_FDCWD, '/proc/self/cwd', 0]);
    t.call('openEntry', [AT_FDCWD, `${dir}/none`, 0]);
  },
  close(t, _, file) {
    t.call('close', [native.openAt(AT_FDCWD, file, 0, 0)]);
    t.call('close', [-1]);
    t.call('close', [9999]);
  },
  read(t, dir, file) {
    const out = new Uint8Array(4);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    for (let i = 0; i < 4; i++) {
      const n = t.call('read', [fd, out]);
      t.note('bytes', text(out, n));
    }
    t.call('read', [fd, new Uint8Array(0)]);
    native.close(fd);
    t.call('read', [-1, out]);
    const d = native.openAt(AT_FDCWD, dir, 0, 0);
    t.call('read', [d, out]);
    native.close(d);
    for (const wrong of [new Int8Array(4), new Uint8ClampedArray(4), new ArrayBuffer(4), [1], 'x', null]) {
      t.call('read', [0, wrong]);
    }
  },
  writeOnce(t, dir) {
    const path = `${dir}/once`;
    const fd = native.openAt(AT_FDCWD, path, O_CREAT | O_RDWR, 0o600);
    t.call('writeOnce', [fd, bytes('abcdef').subarray(2, 4)]);
    t.call('writeOnce', [fd, bytes('!')]);
    native.close(fd);
    t.note('file', JSON.stringify(procText(path)));
    t.call('writeOnce', [-1, bytes('x')]);
  },
  write(t, dir) {
    const path = `${dir}/written`;
    const fd = native.openAt(AT_FDCWD, path, O_CREAT | O_RDWR, 0o600);
    t.call('write', [fd, bytes('grüße\0!')]);
    t.call('write', [fd, new Uint8Array(0)]);
    // A view into a larger buffer: only the bytes of the view.
    t.call('write', [fd, bytes('abcdef').subarray(2, 4)]);
    native.close(fd);
    t.note('file', JSON.stringify(procText(path)));
    t.call('write', [-1, bytes('x')]);
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    native.close(b);
    t.call('write', [a, bytes('no SIGPIPE')]);
    native.close(a);
  },
  readFile(t, dir, file) {
    const out = new Uint8Array(10);
    t.note('bytes', text(out, t.call('readFile', [AT_FDCWD, file, out])));
    t.call('readFile', [AT_FDCWD, file, new Uint8Array(9)]);
    t.call('readFile', [AT_FDCWD, file, new Uint8Array(0)]);
    t.call('readFile', [AT_FDCWD, dir, out]);
    t.call('readFile', [AT_FDCWD, `${file}/x`, out]);
    t.note(
      'whole mountinfo',
      t.call('readFile', [AT_FDCWD, '/proc/self/mountinfo', new Uint8Array(1 << 20)], 'n') > 100,
    );
  },
  writeFile(t, dir) {
    const path = `${dir}/new`;
    t.call('writeFile', [AT_FDCWD, path, 0, 0, bytes('x')]);
    t.call('writeFile', [AT_FDCWD, path, O_CREAT | O_EXCL, 0o640, bytes('first')]);
    t.call('writeFile', [AT_FDCWD, path, O_CREAT | O_EXCL, 0o640, bytes('second')]);
    t.call('writeFile', [AT_FDCWD, path, 0, 0, bytes('FI')]);
    t.note('over it', procText(path));
    t.call('writeFile', [AT_FDCWD, path, O_TRUNC, 0, new Uint8Array(0)]);
    t.note('cut', procText(path));
    t.call('writeFile', [AT_FDCWD, '/proc/self/mountinfo', 0, 0, bytes('x')]);
  },
  replaceFile(t, dir) {
    const path = `${dir}/state`;
    t.call('replaceFile', [AT_FDCWD, path, 0o600, bytes('one')]);
    native.writeFile(AT_FDCWD, `${path}.tmp`, O_CREAT, 0o600, bytes('left by a crash'));
    t.call('replaceFile', [AT_FDCWD, path, 0o600, bytes('two')]);
    t.note('now', procText(path));
    t.call('replaceFile', [AT_FDCWD, `${dir}/none/state`, 0o600, bytes('x')]);
    t.call('replaceFile', [AT_FDCWD, 'x'.repeat(5000), 0o600, bytes('x')]);
    // The rename fails: the temporary file must not stay.
    native.mkdirAt(AT_FDCWD, `${dir}/occupied`, 0o700);
    t.call('replaceFile', [AT_FDCWD, `${dir}/occupied`, 0o600, bytes('x')]);
    const out = new Uint8Array(4096);
    t.note('left', sorted(text(out, native.readDir(AT_FDCWD, dir, out))));
  },
  installFile(t, dir) {
    const path = `${dir}/installed`;
    native.writeFile(AT_FDCWD, `${path}.runt-new`, O_CREAT, 0o600, bytes('left by a crash'));
    t.call('installFile', [path, 0o640, -1n, -1n, bytes('one')]);
    t.call('installFile', [path, 0o755, -1n, -1n, bytes('two')]);
    t.note('now', procText(path));
    const out = new Uint8Array(64);
    native.stat(AT_FDCWD, path, 0, out);
    t.note('mode', longs(out)[0]! & 0o7777n);
    t.call('installFile', [path, 0o755, -2n, -1n, bytes('x')]);
    t.call('installFile', [`${dir}/none/f`, 0o755, -1n, -1n, bytes('x')]);
    t.call('installFile', ['x'.repeat(5000), 0o600, -1n, -1n, bytes('x')]);
    // The rename fails: the temporary file must not stay.
    native.mkdirAt(AT_FDCWD, `${dir}/taken`, 0o700);
    t.call('installFile', [`${dir}/taken`, 0o600, -1n, -1n, bytes('x')]);
    const names = new Uint8Array(4096);
    t.note('left', sorted(text(names, native.readDir(AT_FDCWD, dir, names))));
  },
  installLink(t, dir) {
    t.call('installLink', ['installed', `${dir}/link`]);
    t.call('installLink', ['elsewhere', `${dir}/link`]);
    const out = new Uint8Array(64);
    t.note('target', text(out, native.readLink(AT_FDCWD, `${dir}/link`, out)));
    t.call('installLink', ['x', `${dir}/none/link`]);
  },
  mkdirAt(t, dir) {
    t.call('mkdirAt', [AT_FDCWD, `${dir}/d`, 0o755]);
    t.call('mkdirAt', [AT_FDCWD, `${dir}/d`, 0o755]);
    t.call('mkdirAt', [AT_FDCWD, `${dir}/none/d`, 0o755]);
  },
  chownAt(t, dir, file) {
    const out = new Uint8Array(64);
    t.call('chownAt', [AT_FDCWD, file, -1n, -1n]);
    native.stat(AT_FDCWD, file, 0, out);
    const [, uid, gid] = longs(out);
    t.call('chownAt', [AT_FDCWD, file, uid, gid]);
    t.call('chownAt', [AT_FDCWD, `${dir}/none`, uid, gid]);
    t.call('chownAt', [AT_FDCWD, file, -2n, 0n]);
    t.call('chownAt', [AT_FDCWD, file, 0n, 1n << 32n]);
  },
  chmodAt(t, dir, file) {
    const out = new Uint8Array(64);
    t.call('chmodAt', [AT_FDCWD, file, 0o640]);
    native.stat(AT_FDCWD, file, 0, out);
    t.note('mode', Number(longs(out)[0]) & 0o777);
    t.call('chmodAt', [AT_FDCWD, `${dir}/none`, 0o600]);
  },
  renameAt(t, dir, file) {
    native.writeFile(AT_FDCWD, `${dir}/old`, 0o100, 0o644, new Uint8Array(0));
    t.call('renameAt', [AT_FDCWD, `${dir}/old`, AT_FDCWD, `${dir}/new`]);
    t.call('stat', [AT_FDCWD, `${dir}/old`, 0, new Uint8Array(64)]);
    t.call('renameAt', [AT_FDCWD, `${dir}/old`, AT_FDCWD, `${dir}/new`]);
    t.call('renameAt', [AT_FDCWD, `${dir}/new`, AT_FDCWD, `${file}/new`]);
    native.unlinkAt(AT_FDCWD, `${dir}/new`, 0);
  },
  unlinkAt(t, dir, file) {
    native.mkdirAt(AT_FDCWD, `${dir}/e`, 0o755);
    t.call('unlinkAt', [AT_FDCWD, `${dir}/e`, 0]);
    t.call('unlinkAt', [AT_FDCWD, `${dir}/e`, 0x200]);
    t.call('unlinkAt', [AT_FDCWD, file, 0]);
    t.call('unlinkAt', [AT_FDCWD, file, 0]);
  },
  stat(t, dir, file) {
    const out = new Uint8Array(64);
    t.call('stat', [AT_FDCWD, file, 0, out]);
    const [mode, uid, gid, size, ino, dev, rdev, mtime] = longs(out);
    t.note('mode, ids, size', [mode, uid, gid, size]);
    t.note('ino, dev, rdev, mtime', [ino! > 0n, dev! > 0n, rdev, mtime! > 1_600_000_000_000_000_000n]);
    t.call('stat', [AT_FDCWD, '/dev/null', 0, out]);
    t.note('/dev/null', longs(out).slice(0, 4));
    t.note('rdev', longs(out)[6]);
    t.call('stat', [AT_FDCWD, `${dir}/none`, 0, out]);
    t.call('stat', [AT_FDCWD, file, 0, new Uint8Array(63)]);
    t.call('stat', [AT_FDCWD, file, 0x40000000, out]);
  },
  access(t, dir, file) {
    t.call('access', [file, 4]);
    t.call('access', [file, 1]);
    t.call('access', [`${dir}/none`, 0]);
    t.call('access', [file, 99]);
  },
  statfsType(t, dir) {
    t.call('statfsType', ['/proc']);
    t.call('statfsType', [`${dir}/none`]);
  },
  getXattr(t, dir) {
    t.call('getXattr', [dir, 'trusted.runt-none', new Uint8Array(8)]);
    t.call('getXattr', [`${dir}/none`, 'trusted.x', new Uint8Array(8)]);
  },
  readDir(t, dir, file) {
    for (const name of ['b', 'ä', '..c']) native.mkdirAt(AT_FDCWD, `${dir}/${name}`, 0o700);
    const out = new Uint8Array(100);
    t.note('names', sorted(text(out, t.call('readDir', [AT_FDCWD, dir, out]))));
    t.call('readDir', [AT_FDCWD, `${dir}/b`, out]);
    t.call('readDir', [AT_FDCWD, dir, new Uint8Array(8)]);
    t.call('readDir', [AT_FDCWD, file, out]);
    t.call('readDir', [AT_FDCWD, `${dir}/none`, out]);
    for (let i = 0; i < 600; i++) native.mkdirAt(AT_FDCWD, `${dir}/b/entry-${i}`, 0o700);
    const many = new Uint8Array(65536);
    t.note('many', text(many, t.call('readDir', [AT_FDCWD, `${dir}/b`, many])).split('\0').length);
  },
  readLink(t, _, file) {
    const out = new Uint8Array(20);
    t.call('readLink', [AT_FDCWD, file, out]);
    const fd = native.openAt(AT_FDCWD, '/dev/null', 0, 0);
    const fds = native.openAt(AT_FDCWD, '/proc/self/fd', 0, 0);
    t.note('target', text(out, native.readLink(fds, String(fd), out)));
    t.call('readLink', [AT_FDCWD, '/proc/self/fd/9999', out]);
    t.note('cut', native.readLink(fds, String(fd), new Uint8Array(9)));
    t.call('readLink', [AT_FDCWD, '/proc/self/exe', new Uint8Array(0)]);
    native.close(fds);
    native.close(fd);
  },
  removeTree(t, dir, file) {
    let path = `${dir}/tree`;
    for (let depth = 0; depth < 20; depth++) {
      native.mkdirAt(AT_FDCWD, path, 0o755);
      for (let i = 0; i < 5; i++) native.writeFile(AT_FDCWD, `${path}/f${i}`, O_CREAT, 0o600, bytes('x'));
      path = `${path}/d`;
    }
    t.call('removeTree', [AT_FDCWD, `${dir}/tree/`]);
    t.call('access', [`${dir}/tree`, 0]);
    t.call('removeTree', [AT_FDCWD, `${dir}/tree`]);
    t.call('removeTree', [AT_FDCWD, `${dir}/none/tree`]);
    t.call('removeTree', [AT_FDCWD, `${dir}/..`]);
    t.call('removeTree', [AT_FDCWD, '/']);
    t.call('removeTree', [AT_FDCWD, '']);
    t.call('removeTree', [AT_FDCWD, file]);
    t.call('access', [file, 0]);
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    native.mkdirAt(fd, 'sub', 0o700);
    t.call('removeTree', [fd, 'sub']);
    native.close(fd);
  },
  removeCgroup(t, dir, file) {
    native.mkdirAt(AT_FDCWD, `${dir}/cg`, 0o755);
    t.call('removeCgroup', [`${dir}/cg`]);
    t.call('access', [`${dir}/cg`, 0]);
    for (const path of [`${dir}/none`, `${dir}/none/none`, `${file}/cg`, 'cg', `${dir}/..`, '/', ''])
      t.call('removeCgroup', [path]);
  },
  memoryEvents(t, dir) {
    t.call('memoryEvents', [`${dir}/none`]);
    t.call('memoryEvents', [dir]);
    t.call('memoryEvents', ['/proc/self/stat']);
  },
  attachDeviceFilter(t, dir) {
    t.call('attachDeviceFilter', [`${dir}/none`, new Uint8Array(16)]);
    t.call('attachDeviceFilter', [dir, new Uint8Array(15)]);
    t.call('attachDeviceFilter', [dir, new Uint8Array(0)]);
  },
  flock(t, _, file) {
    const [a, b] = [native.openAt(AT_FDCWD, file, 0, 0), native.openAt(AT_FDCWD, file, 0, 0)];
    t.call('flock', [a, LOCK_EX]);
    t.call('flock', [b, LOCK_EX | LOCK_NB]);
    native.close(a);
    t.call('flock', [b, LOCK_EX | LOCK_NB]);
    t.call('flock', [b, 99]);
    native.close(b);
  },
  cwd(t) {
    const out = new Uint8Array(4096);
    t.note('directory', text(out, t.call('cwd', [out])));
    t.call('cwd', [new Uint8Array(1)]);
    t.call('cwd', [new Uint8Array(0)]);
  },
  pid(t) {
    t.note('is ours', procText('/proc/self/stat').startsWith(`${t.call('pid', [], 'pid')} `));
    t.call('pid', [1]);
  },
  ids(t) {
    const out = new Uint8Array(32);
    t.call('ids', [out]);
    t.note('ids', longs(out));
    t.call('ids', [new Uint8Array(31)]);
  },
  monotonic(t) {
    const before = native.monotonic();
    t.call('monotonic', [], 'time');
    t.note('goes on', native.monotonic() >= before);
  },
  realtime(t) {
    t.call('realtime', [], 'time');
    t.note('after 2020', native.realtime() > 1_577_836_800_000_000_000n);
  },
  netlinkOpen(t) {
    native.close(t.call('netlinkOpen', [-1], 'fd'));
    const ns = native.namespaceOpen('/proc/self/ns/net', new Uint8Array(24));
    native.close(t.call('netlinkOpen', [ns], 'fd'));
    native.close(ns);
    const uts = native.namespaceOpen('/proc/self/ns/uts', new Uint8Array(24));
    t.call('netlinkOpen', [uts]);
    native.close(uts);
    t.call('netlinkOpen', [9999]);
  },
  namespaceOpen(t) {
    const out = new Uint8Array(24);
    native.close(t.call('namespaceOpen', ['/proc/self/ns/uts', out], 'fd'));
    const view = new DataView(out.buffer);
    t.note('type', view.getBigInt64(0, true));
    t.note('device and inode', view.getBigInt64(8, true) > 0n && view.getBigInt64(16, true) > 0n);
    t.call('namespaceOpen', ['/proc/self/status', out]);
    t.call('namespaceOpen', ['/dev/null', out]);
    t.call('namespaceOpen', ['/there/is/none', out]);
    t.call('namespaceOpen', ['/proc/self/ns/uts', new Uint8Array(23)]);
  },
  userNamespaceOf(t) {
    const uts = native.namespaceOpen('/proc/self/ns/uts', new Uint8Array(24));
    const owner = native.userNamespaceOf(uts);
    const out = new Uint8Array(24);
    native.close(native.namespaceOpen(`/proc/self/fd/${owner}`, out));
    t.note('type', new DataView(out.buffer).getBigInt64(0, true));
    native.close(owner);
    native.close(uts);
    t.call('userNamespaceOf', [9999]);
  },
  processStat(t) {
    const out = new Uint8Array(1024);
    t.note('own stat', native.processStat(native.pid(), out) > 0);
    t.note('its pid', host.decode(out, 1024).startsWith(`${native.pid()} (`));
    t.call('processStat', [0x3ffffff, out]);
    t.call('processStat', [0, out]);
    t.call('processStat', [native.pid(), new Uint8Array(8)]);
  },
  killProcess(t) {
    const { pid, pidfd } = helper('/bin/sleep', ['sleep', '100']);
    t.note('in use', native.killProcess(pid, 0));
    t.note('killed', native.killProcess(pid, 9));
    wait(t, pidfd);
    t.note('reaped', native.killProcess(pid, 0));
    t.call('killProcess', [0, 9]);
    t.call('killProcess', [-1, 9]);
    t.call('killProcess', [1, 99]);
  },
  pidfdOpen(t) {
    native.close(t.call('pidfdOpen', [native.pid()], 'fd'));
    t.call('pidfdOpen', [0x3ffffff]);
    t.call('pidfdOpen', [0]);
  },
  pidfdSignal(t) {
    const { pid, pidfd } = helper('/bin/sleep', ['sleep', '100']);
    t.call('pidfdSignal', [pidfd, 0]);
    t.call('pidfdSignal', [pidfd, 99]);
    t.call('pidfdSignal', [pidfd, 9]);
    wait(t, pidfd);
    const gone = native.pidfdOpen(pid);
    t.note('reaped', gone);
    t.call('pidfdSignal', [-1, 0]);
  },
  waitPidfd(t) {
    const { pidfd } = helper('/bin/sleep', ['sleep', '100']);
    t.call('waitPidfd', [pidfd, new Uint8Array(16)]);
    t.call('waitPidfd', [pidfd, new Uint8Array(15)]);
    native.pidfdSignal(pidfd, 15);
    wait(t, pidfd);
    t.call('waitPidfd', [-1, new Uint8Array(16)]);
  },
  reapChild(t) {
    const { pid, pidfd } = helper('/bin/sleep', ['sleep', '100']);
    t.note('running', native.reapChild(pid));
    native.pidfdSignal(pidfd, 15);
    native.watch(pidfd, 1);
    native.ready(new Uint8Array(4), 60000);
    t.note('ended', native.reapChild(pid));
    t.note('gone', native.reapChild(pid));
    native.close(pidfd);
    t.call('reapChild', [0]);
    t.call('reapChild', [-1]);
  },
  exitOfPidfd(t) {
    const { pidfd } = helper('/bin/sleep', ['sleep', '100']);
    t.call('exitOfPidfd', [pidfd]);
    native.pidfdSignal(pidfd, 15);
    native.watch(pidfd, 1);
    native.ready(new Uint8Array(4), 60000);
    t.call('exitOfPidfd', [pidfd]);
    native.waitPidfd(pidfd, new Uint8Array(16));
    t.call('exitOfPidfd', [pidfd]);
    native.close(pidfd);
    t.call('exitOfPidfd', [-1]);
  },
  prlimit(t) {
    t.call('prlimit', [0, 4, 0n, 0n]);
    t.note('core limit', /^Max core file size +0 +0 /m.test(procText('/proc/self/limits')));
    t.call('prlimit', [0, 99, 0n, 0n]);
    t.call('prlimit', [0, 4, 1n, 0n]);
    t.call('prlimit', [0, 4, 0, 0n]);
    t.call('prlimit', [0, 4, 2n ** 63n, 0n]);
    t.call('prlimit', [0, 4, -(2n ** 63n) - 1n, 0n]);
    t.call('prlimit', [0, 4, 2n ** 70n, 0n]);
  },
  schedSetAttr(t) {
    // SCHED_BATCH with nice 3; no kernel has policy 4; an ordinary user may not use real time, and root may lack it.
    t.call('schedSetAttr', [0, 3, 0, 3, 0, 0n, 0n, 0n]);
    const stat = procText('/proc/self/stat').split(') ')[1]?.split(' ') ?? [];
    t.note('nice', stat[16]);
    t.note('policy', stat[38]);
    t.call('schedSetAttr', [0, 4, 0, 0, 0, 0n, 0n, 0n]);
    t.call('schedSetAttr', [0, 6, 0, 0, 0, 2n, 1n, 1n]);
    t.call('schedSetAttr', [-1, 3, 0, 3, 0, 0n, 0n, 0n]);
  },
  ioprioSet(t) {
    t.call('ioprioSet', [0, (2 << 13) | 7]);
    t.call('ioprioSet', [0, 9 << 13]);
    t.call('ioprioSet', [2 ** 30, 2 << 13]);
  },
  reapOrphans(t) {
    const children = [1, 2].map(() => helper('/bin/sleep', ['sleep', '100']));
    for (const { pidfd } of children) {
      native.pidfdSignal(pidfd, 9);
      native.watch(pidfd, 1);
      native.ready(new Uint8Array(4), 60000);
    }
    const [first, second] = children as [(typeof children)[0], (typeof children)[0]];
    t.note('result', native.reapOrphans(second.pid));
    t.note('an orphan', native.reapChild(first.pid));
    t.note('the child', native.reapChild(second.pid));
    for (const { pidfd } of children) native.close(pidfd);
  },
  setSubreaper(t) {
    t.call('setSubreaper', [1]);
    t.call('setSubreaper', [0]);
  },
  schedCoreCreate(t) {
    t.call('schedCoreCreate', []);
  },
  // Only the static binary has HTTP/2: test/security/http2.test.ts talks to it.
  http2Open(t) {
    const session = native.http2Open();
    t.note('a session, or ENOSYS', session >= 0 || session === -38);
    t.note('closed', native.http2Close(session) === (session < 0 ? -9 : 0));
    t.note('a closed session', native.http2Close(session));
  },
  http2Close: (t) => void t.call('http2Close', [-1]),
  http2Receive: (t) => void t.call('http2Receive', [1 << 20, bytes('PRI')]),
  http2Event: (t) => void t.call('http2Event', [0, new Uint8Array(16)]),
  http2Send: (t) => void t.call('http2Send', [2 ** 31 - 1, new Uint8Array(16)]),
  http2Respond: (t) => void t.call('http2Respond', [1, 1, bytes(''), 1]),
  http2Data: (t) => void t.call('http2Data', [1, 1, bytes(''), 0]),
  http2Trailers: (t) => void t.call('http2Trailers', [1, 1, bytes('')]),
  http2Consume: (t) => void t.call('http2Consume', [1, 1, 1]),
  http2Reset: (t) => void t.call('http2Reset', [1, 1, 8]),
  http2GoAway: (t) => void t.call('http2GoAway', [1]),
  signalFd(t) {
    const fd = t.call('signalFd', [1n << 9n], 'fd');
    t.note('blocked', /^SigBlk:\t0*200$/m.test(procText('/proc/thread-self/status')));
    const self = native.pidfdOpen(native.pid());
    native.close(self);
    native.close(fd);
    t.call('signalFd', [1]);
  },
  isTerminal(t, _, file) {
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('isTerminal', [fd]);
    native.close(fd);
    t.call('isTerminal', [-1]);
  },
  spawn(t, dir) {
    const fd = native.openAt(AT_FDCWD, `${dir}/out`, O_CREAT | O_RDWR, 0o600);
    // A helper does not inherit our descriptors.
    const secret = native.openAt(AT_FDCWD, `${dir}/secret`, O_CREAT, 0o600);
    const pidfd = new Uint8Array(8);
    const run = (path: string, args: string, env: string): void => {
      const pid = t.call('spawn', [path, bytes(args), bytes(env), -1, fd, fd, pidfd], 'pid');
      if (pid > 0) wait(t, Number(longs(pidfd)[0]));
    };
    const look = 'echo "$0 $A $#"; cat; ls -l /proc/self/fd | grep -c secret; grep Sig[BI] /proc/self/status; exit 7';
    run('/bin/sh', `sh\0-c\0${look}\0name\0two words\0`, 'A=b\0PATH=/bin:/usr/bin\0');
    t.note('output', procText(`${dir}/out`));
    run('/bin/sh', 'sh\0-c\0kill -TERM $$\0', '');
    run(`${dir}/none`, 'x\0', '');
    run(dir, 'x\0', '');
    run('relative', 'x\0', '');
    run('/bin/sh', '', '');
    run('/bin/sh', 'not ended', '');
    t.call('spawn', ['/bin/sh', bytes('sh\0'), bytes(''), 9999, -1, -1, pidfd]);
    t.call('spawn', ['/bin/sh', bytes('sh\0'), bytes(''), -1, -1, -1, new Uint8Array(4)]);
    native.close(secret);
    native.close(fd);
  },
  spawnKeeping(t, dir) {
    const fd = native.openAt(AT_FDCWD, `${dir}/kept`, O_CREAT | O_RDWR, 0o600);
    const secret = native.openAt(AT_FDCWD, `${dir}/secret`, O_CREAT, 0o600);
    const pidfd = new Uint8Array(8);
    // The text has the same length for every number.
    const look = `echo kept >/proc/self/fd/$((${1000 + fd}-1000)); ls -l /proc/self/fd | grep -c secret`;
    const args = bytes(`sh\0-c\0${look}\0`);
    t.call('spawnKeeping', ['/bin/sh', args, bytes('PATH=/bin:/usr/bin\0'), -1, fd, -1, ints(fd), pidfd], 'pid');
    wait(t, Number(longs(pidfd)[0]));
    t.note('output', procText(`${dir}/kept`));
    t.call('spawnKeeping', ['/bin/sh', bytes('sh\0'), bytes(''), -1, -1, -1, ints(9999), pidfd]);
    t.call('spawnKeeping', ['/bin/sh', bytes('sh\0'), bytes(''), -1, -1, -1, new Uint8Array(3), pidfd]);
    native.close(secret);
    native.close(fd);
  },
  spawnWith(t, dir) {
    const pidfd = new Uint8Array(8);
    const out = native.openAt(AT_FDCWD, `${dir}/with`, O_RDWR | O_CREAT, 0o600);
    const fds = new Uint8Array(new Int32Array([out, out]).buffer);
    const args = bytes('sh\0-c\0echo three >&3; echo four >&4; read x || echo nothing to read >&3\0');
    t.call('spawnWith', ['/bin/sh', args, bytes(''), fds, pidfd], 'pid');
    wait(t, Number(longs(pidfd)[0]));
    t.note('output', procText(`${dir}/with`));
    t.call('spawnWith', ['/bin/sh', args, bytes(''), new Uint8Array(3), pidfd]);
    t.call('spawnWith', ['/bin/sh', args, bytes(''), new Uint8Array(24), pidfd]);
    t.call('spawnWith', ['/bin/sh', args, bytes(''), new Uint8Array(new Int32Array([9999]).buffer), pidfd]);
    native.close(out);
  },
  layerProgram(t) {
    const fd = t.call('layerProgram', [], 'fd');
    t.call('writeOnce', [fd, new Uint8Array(1)]);
    native.close(fd);
    t.call('layerProgram', [1]);
  },
  pauseProgram(t) {
    const out = new Uint8Array(64 << 10);
    const size = native.pauseProgram(out);
    t.note('an executable of some KB', size > 1024 && size < 16384 && host.decode(out.slice(1, 4), 3));
    t.call('pauseProgram', [new Uint8Array(16)]);
  },
  spawnHook(t, dir) {
    const fd = native.openAt(AT_FDCWD, `${dir}/hook`, O_CREAT | O_RDWR, 0o600);
    const pidfd = new Uint8Array(8);
    const run = (path: string, directory: string, script: string): void => {
      const args = bytes(`sh\0-c\0${script}\0`);
      const pid = t.call('spawnHook', [path, args, bytes('PATH=/bin:/usr/bin\0'), directory, -1, fd, fd, pidfd], 'pid');
      if (pid > 0) wait(t, Number(longs(pidfd)[0]));
    };
    run('/bin/sh', dir, 'pwd -P | sed "s,.*/,,"; umask; set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6');
    run('/bin/sh', `${dir}/none`, 'pwd');
    run(`${dir}/none`, dir, '');
    t.note('output', procText(`${dir}/hook`));
    native.close(fd);
  },
  signalGroup(t) {
    const pidfd = new Uint8Array(8);
    const args = bytes('sh\0-c\0sleep 100 & sleep 100\0');
    const pid = native.spawnHook('/bin/sh', args, bytes('PATH=/bin:/usr/bin\0'), '/', -1, -1, -1, pidfd);
    native.ready(new Uint8Array(4), 100);
    t.note('ended', native.signalGroup(pid, 9));
    wait(t, Number(longs(pidfd)[0]));
    for (const number of [1, 0, -1]) t.call('signalGroup', [number, 0]);
    t.call('signalGroup', [0x3ffffff, 0]);
  },
  pipe(t) {
    const out = new Uint8Array(16);
    t.call('pipe', [out]);
    const [reading, writing] = longs(out).map(Number) as [number, number];
    const data = new Uint8Array(8);
    t.note('empty', native.read(reading, data));
    native.write(writing, bytes('abc'));
    t.note('bytes', text(data, native.read(reading, data)));
    native.close(writing);
    t.note('end', native.read(reading, data));
    t.note('close-on-exec', /flags:\s+02\d{6}$/m.test(procText(`/proc/self/fdinfo/${reading}`)));
    native.close(reading);
    t.call('pipe', [new Uint8Array(15)]);
  },
  sealedFile(t) {
    const fd = t.call('sealedFile', [bytes('0123456789')], 'fd');
    const data = new Uint8Array(16);
    t.note('bytes', text(data, native.read(fd, data)));
    t.call('write', [fd, bytes('x')], 'n');
    t.note('sealed', native.write(fd, bytes('x')));
    native.close(fd);
    native.close(t.call('sealedFile', [new Uint8Array(0)], 'fd'));
  },
  spawnInit(t) {
    const out = new Uint8Array(16);
    for (const flags of [0n, BigInt(CLONE_NEWUSER)]) {
      const pair = new Uint8Array(16);
      native.socketPair(pair);
      const [ours, theirs] = longs(pair).map(Number) as [number, number];
      const pid = t.call('spawnInit', [flags, theirs, ints(), ints(), -1, out], 'pid');
      native.close(theirs);
      // The kernel resumes the parent a moment before it shows the new program.
      const own = linkText('/proc/self/exe');
      const shown = (): string => linkText(`/proc/${pid}/exe`);
      for (let tries = 0; shown() === own && tries < 1000; tries++) native.ready(new Uint8Array(4), 1);
      t.note('from', shown());
      // For runt-init the end of file means that the runtime died: it exits.
      native.close(ours);
      wait(t, Number(longs(out)[0]));
    }
    t.call('spawnInit', [0n, 9999, ints(), ints(), -1, out]);
    t.call('spawnInit', [0n, -1, ints(), ints(), -1, out]);
    t.call('spawnInit', [0n, 0, ints(), ints(9998), -1, out]);
    t.call('spawnInit', [0n, 0, ints(), new Uint8Array(3), -1, out]);
    t.call('spawnInit', [0n, 0, ints(), ints(), 9997, out]);
    t.call('spawnInit', [0n, 0, ints(), ints(), -1, new Uint8Array(15)]);
    t.call('spawnInit', [1n << 62n, 0, ints(), ints(), -1, out]);
    t.call('spawnInit', [0, 0, ints(), ints(), -1, out]);
    t.call('spawnInit', [0n, 0, new Uint8Array(4), ints(), -1, out]);
    t.call('spawnInit', [0n, 0, ints(0, 0, 9998), ints(), -1, out]);
  },
  // It does not return when it succeeds: test/integration/process/waiter.test.ts has that.
  becomeInit(t) {
    const sync = native.sealedFile(bytes('x'));
    t.call('becomeInit', ['runt', -1, 3, 1, ints()]);
    t.call('becomeInit', ['runt', 9999, 3, 1, ints()]);
    t.call('becomeInit', ['runt', sync, -1, 1, ints()]);
    t.call('becomeInit', ['runt', sync, 3, -1, ints()]);
    t.call('becomeInit', ['runt', sync, 3, 1, ints(9998)]);
    t.call('becomeInit', ['runt', sync, 3, 1, new Uint8Array(3)]);
    t.note('close-on-exec again', /flags:\s+02\d{6}$/m.test(procText(`/proc/self/fdinfo/${sync}`)));
    native.close(sync);
  },
  socketPair(t) {
    const pair = new Uint8Array(16);
    t.call('socketPair', [pair]);
    const [a, b] = longs(pair).map(Number) as [number, number];
    native.write(a, bytes('ping'));
    const out = new Uint8Array(8);
    t.note('through', text(out, native.read(b, out)));
    for (const fd of [a, b]) t.note('close-on-exec', /flags:\s+02/.test(procText(`/proc/self/fdinfo/${fd}`)));
    native.close(a);
    t.note('end', native.read(b, out));
    native.close(b);
    t.call('socketPair', [new Uint8Array(8)]);
  },
  packetPair(t) {
    const pair = new Uint8Array(16);
    t.call('packetPair', [pair]);
    const [a, b] = longs(pair).map(Number) as [number, number];
    native.write(a, bytes('one'));
    native.write(a, bytes('second'));
    const out = new Uint8Array(16);
    for (let i = 0; i < 2; i++) t.note('one message at a time', text(out, native.read(b, out)));
    for (const fd of [a, b]) t.note('close-on-exec', /flags:\s+02/.test(procText(`/proc/self/fdinfo/${fd}`)));
    native.close(a);
    t.note('end', native.read(b, out));
    native.close(b);
    t.call('packetPair', [new Uint8Array(8)]);
  },
  unixListen(t, dir, file) {
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    native.close(t.call('unixListen', [fd, 'a.sock', 1], 'fd'));
    const out = new Uint8Array(64);
    native.stat(fd, 'a.sock', 0, out);
    t.note('mode', longs(out)[0]?.toString(8));
    t.call('unixListen', [fd, 'a.sock', 1]);
    t.call('unixListen', [fd, 'x'.repeat(100), 1]);
    t.call('unixListen', [fd, '', 1]);
    t.call('unixListen', [-1, 'b.sock', 1]);
    t.call('unixListen', [AT_FDCWD, `${file}/x`, 1]);
    native.close(fd);
  },
  accept(t, dir) {
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    const listener = native.unixListen(fd, 'a.sock', 1);
    const client = native.unixConnect(fd, 'a.sock');
    const connection = t.call('accept', [listener], 'fd');
    t.call('send', [connection, bytes('hello')]);
    const data = new Uint8Array(8);
    t.note('heard', text(data, native.read(client, data)));
    t.call('accept', [connection]);
    for (const each of [connection, client, listener, fd]) native.close(each);
  },
  trustedPeer(t, _, file) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    t.call('trustedPeer', [a]);
    for (const each of [a, b]) native.close(each);
    t.call('trustedPeer', [a]);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('trustedPeer', [fd]);
    native.close(fd);
  },
  send(t) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    t.call('send', [a, bytes('some')]);
    // Without a reader the socket gets full.
    const much = new Uint8Array(1 << 16);
    let n = 0;
    for (let i = 0; i < 1000 && n >= 0; i++) n = native.send(a, much);
    t.note('full', n);
    native.close(b);
    t.call('send', [a, bytes('none')]);
    native.close(a);
  },
  closesOnExec(t, _, file) {
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('closesOnExec', [fd]);
    native.close(fd);
    t.call('closesOnExec', [fd]);
    t.call('closesOnExec', [-1]);
    t.note('stdout', native.closesOnExec(1) >= 0);
  },
  duplicate(t, _, file) {
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    const copy = t.call('duplicate', [fd], 'fd');
    native.close(fd);
    const data = new Uint8Array(16);
    t.note('reads', text(data, native.read(copy, data)));
    native.close(copy);
    t.call('duplicate', [copy]);
  },
  // The script must not change the mounts of the machine: only errors before anything is mounted.
  mountFs(t, dir) {
    t.call('mountFs', ['nonsense', 'none', new Uint8Array(), 0, dir]);
    t.call('mountFs', ['tmpfs', 'none', bytes('size=1k'), 0, dir]);
    t.call('mountFs', ['tmpfs', 'none', bytes('nonsense=1\0'), 0, dir]);
  },
  mountBind(t, dir) {
    t.call('mountBind', [`${dir}/none`, 0, 0, dir]);
  },
  mountOverlay(t, dir) {
    const layers = new Uint8Array(new Int32Array([9999]).buffer);
    for (const hidden of [0, 1]) t.call('mountOverlay', ['none', layers, new Uint8Array(), 0, dir, hidden]);
    t.call('mountOverlay', ['none', layers.subarray(1), new Uint8Array(), 0, dir, 0]);
    t.call('mountOverlay', ['none', layers, bytes('index=off'), 0, dir, 0]);
  },
  unmount(t, dir) {
    t.call('unmount', [`${dir}/none`]);
    t.call('unmount', [dir]);
  },
  unixConnect(t, dir) {
    // A directory whose path is longer than an address may be.
    const long = `${dir}/${'l'.repeat(120)}`;
    native.mkdirAt(AT_FDCWD, long, 0o700);
    const fd = native.openAt(AT_FDCWD, long, 0, 0);
    t.call('unixConnect', [fd, 'c.sock']);
    const listener = native.unixListen(fd, 'c.sock', 1);
    const client = t.call('unixConnect', [fd, 'c.sock'], 'fd');
    native.watch(listener, 5);
    t.call('ready', [new Uint8Array(4), 0]);
    // Its queue has room for one more than 1 (unix(7)).
    const second = t.call('unixConnect', [fd, 'c.sock'], 'fd');
    t.call('unixConnect', [fd, 'c.sock']);
    native.close(second);
    native.close(listener);
    t.call('unixConnect', [fd, 'c.sock']);
    native.close(client);
    native.close(fd);
  },
  datagramBind(t, dir) {
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    const socket = t.call('datagramBind', [fd, 'd.sock', 0o777], 'fd');
    const out = new Uint8Array(64);
    native.stat(fd, 'd.sock', 0, out);
    t.note('mode', longs(out)[0]?.toString(8));
    t.call('receiveFds', [socket, new Uint8Array(8), new Uint8Array(0)]);
    t.call('datagramBind', [fd, 'd.sock', 0o777]);
    t.call('datagramBind', [fd, '', 0o777]);
    native.close(socket);
    native.close(fd);
  },
  datagramConnect(t, dir) {
    const fd = native.openAt(AT_FDCWD, dir, 0, 0);
    const socket = native.datagramBind(fd, 'd.sock', 0o700);
    const client = t.call('datagramConnect', [`${dir}/d.sock`], 'fd');
    native.sendFds(client, ints(), bytes('hello'));
    const got = new Uint8Array(8);
    t.note('got', text(got, native.receiveFds(socket, got, new Uint8Array(0))));
    t.call('datagramConnect', ['/proc/self/none']);
    t.call('datagramConnect', ['@runt-nobody-listens-here']);
    t.call('datagramConnect', [`/${'x'.repeat(108)}`]);
    for (const open of [client, socket, fd]) native.close(open);
  },
  initImage(t) {
    const fd = t.call('initImage', [], 'fd');
    const head = new Uint8Array(4);
    native.read(native.openAt(AT_FDCWD, `/proc/self/fd/${fd}`, 0, 0), head);
    t.note('ELF', text(head.subarray(1), 3));
    t.note('again', native.initImage() === fd);
    t.call('initImage', [1]);
  },
  sendFds(t, _, file) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('sendFds', [a, ints(fd, fd), bytes('two')]);
    t.call('sendFds', [a, ints(), bytes('none')]);
    t.call('sendFds', [a, ints(fd), new Uint8Array(0)]);
    t.call('sendFds', [a, new Uint8Array(3), bytes('x')]);
    t.call('sendFds', [a, ints(9999), bytes('x')]);
    t.call('sendFds', [a, new Uint8Array(251 * 4), bytes('x')]);
    native.close(b);
    t.call('sendFds', [a, ints(), bytes('x')]);
    native.close(a);
    native.close(fd);
  },
  receiveFds(t, _, file) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    native.sendFds(a, ints(fd, fd), bytes('two'));
    const data = new Uint8Array(8);
    const fds = new Uint8Array(12);
    t.call('receiveFds', [b, data, fds]);
    const view = new DataView(fds.buffer);
    const got = new Uint8Array(16);
    t.note('content', text(got, native.read(view.getInt32(0, true), got)));
    t.note('the rest', view.getInt32(8, true));
    t.note('close-on-exec', /flags:\s+02/.test(procText(`/proc/self/fdinfo/${view.getInt32(4, true)}`)));
    native.close(view.getInt32(0, true));
    native.close(view.getInt32(4, true));
    native.close(a);
    t.call('receiveFds', [b, data, new Uint8Array(0)]);
    native.close(b);
    native.close(fd);
    t.call('receiveFds', [-1, data, fds]);
  },
  watch(t, _, file) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    t.call('watch', [a, 7]);
    t.call('ready', [new Uint8Array(8), 0]);
    native.write(b, bytes('x'));
    const ids = new Uint8Array(8);
    t.call('ready', [ids, 1000]);
    t.note('id', new DataView(ids.buffer).getInt32(0, true));
    // One-shot: reported once, although the byte is still there; after a new watch it is reported again.
    t.call('ready', [ids, 0]);
    t.call('watch', [a, 8]);
    t.call('ready', [ids, 1000]);
    t.note('id', new DataView(ids.buffer).getInt32(0, true));
    native.close(a);
    native.close(b);
    t.call('watch', [9999, 1]);
    t.call('watch', [-1, 1]);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('watch', [fd, 1]);
    native.close(fd);
    t.call('watch', ['1', 1]);
  },
  watchOut(t, _, file) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    const ids = new Uint8Array(8);
    t.call('watchOut', [a, 9]);
    t.call('ready', [ids, 1000]);
    t.note('id', new DataView(ids.buffer).getInt32(0, true));
    t.call('ready', [ids, 0]);
    native.close(a);
    native.close(b);
    t.call('watchOut', [a, 1]);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('watchOut', [fd, 1]);
    native.close(fd);
  },
  terminalRaw(t, _, file) {
    const master = openMaster();
    const saved = new Uint8Array(256);
    const n = t.call('terminalRaw', [master, saved]);
    const again = new Uint8Array(256);
    native.terminalRaw(master, again);
    t.note('changed', String(saved) !== String(again));
    native.terminalRestore(master, saved.subarray(0, n));
    native.terminalRaw(master, again);
    t.note('restored', String(saved) === String(again));
    native.terminalRestore(master, saved.subarray(0, n));
    native.close(master);
    t.call('terminalRaw', [master, new Uint8Array(8)]);
    t.call('terminalRaw', [9999, saved]);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('terminalRaw', [fd, saved]);
    native.close(fd);
  },
  terminalRestore(t, _, file) {
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('terminalRestore', [fd, new Uint8Array(1)]);
    const master = openMaster();
    const saved = new Uint8Array(256);
    const n = native.terminalRaw(master, saved);
    t.call('terminalRestore', [master, saved.subarray(0, n)]);
    t.call('terminalRestore', [fd, saved.subarray(0, n)]);
    native.close(master);
    native.close(fd);
  },
  terminalMaster(t, _, file) {
    const master = openMaster();
    t.call('terminalMaster', [master]);
    // The master's own descriptor does not block any more.
    t.call('read', [master, new Uint8Array(8)]);
    native.close(master);
    const fd = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('terminalMaster', [fd]);
    native.close(fd);
    t.call('terminalMaster', [9999]);
  },
  windowSize(t) {
    const master = openMaster();
    const size = new Uint8Array(16);
    t.call('windowSize', [master, size]);
    native.setWindowSize(master, 101, 33);
    native.windowSize(master, size);
    t.note('size', longs(size));
    t.call('windowSize', [master, new Uint8Array(15)]);
    native.close(master);
    t.call('windowSize', [9999, size]);
  },
  setWindowSize(t) {
    const master = openMaster();
    t.call('setWindowSize', [master, 65535, 1]);
    t.call('setWindowSize', [master, 65536, 1]);
    t.call('setWindowSize', [master, 1, -1]);
    native.close(master);
    t.call('setWindowSize', [9999, 1, 1]);
  },
  nonBlocking(t, _, file) {
    const flags = (fd: number) => /flags:\s+(\d+)/.exec(procText(`/proc/self/fdinfo/${fd}`))?.[1];
    const ends = new Uint8Array(16);
    native.socketPair(ends);
    const [a, b] = longs(ends).map(Number) as [number, number];
    const plain = native.openAt(AT_FDCWD, file, 0, 0);
    const master = openMaster();
    for (const fd of [plain, a, master]) {
      const copy = t.call('nonBlocking', [fd, 0], 'fd');
      t.note('flags', flags(copy) === flags(fd));
      native.close(copy);
    }
    native.close(master);
    native.close(plain);
    native.close(a);
    native.close(b);
    native.pipe(ends);
    const [reading, writing] = longs(ends).map(Number) as [number, number];
    const copy = t.call('nonBlocking', [writing, 1], 'fd');
    t.note('flags', [flags(writing), flags(copy)]);
    native.close(copy);
    native.close(reading);
    native.close(writing);
    t.call('nonBlocking', [9999, 0]);
    t.call('nonBlocking', [0, 64]);
  },
  transfer(t, dir, file) {
    const ends = new Uint8Array(16);
    native.socketPair(ends);
    const [a, b] = longs(ends).map(Number) as [number, number];
    const out = native.openAt(AT_FDCWD, `${dir}/moved`, O_CREAT | O_RDWR | O_TRUNC, 0o600);
    const state = new Uint8Array(8 + 16);
    t.call('transfer', [a, out, state]);
    native.write(b, bytes('more than fits into the state at once'));
    t.call('transfer', [a, out, state]);
    t.note('moved', procText(`${dir}/moved`));
    // A full receiver: the bytes already read are buffered, and sent when there is room again.
    const other = new Uint8Array(16);
    native.socketPair(other);
    const [c, d] = longs(other).map(Number) as [number, number];
    const zero = native.openAt(AT_FDCWD, '/dev/zero', 0, 0);
    let r = 5;
    while (r === 5) r = native.transfer(zero, c, state);
    t.note('full', r);
    t.note('kept', new DataView(state.buffer).getUint32(4, true) > new DataView(state.buffer).getUint32(0, true));
    native.close(d);
    t.call('transfer', [zero, c, state]);
    native.close(c);
    t.call('transfer', [zero, -1, new Uint8Array(8 + 16)]);
    native.close(zero);
    native.close(b);
    t.call('transfer', [a, out, new Uint8Array(8 + 16)]);
    native.close(a);
    const master = openMaster();
    native.terminalMaster(master);
    t.call('transfer', [master, out, new Uint8Array(8 + 16)]);
    native.close(master);
    // Between two pipes the bytes never enter the process.
    const [pipe, fifo] = [new Uint8Array(16), new Uint8Array(16)];
    native.pipe(pipe);
    native.pipe(fifo);
    const [from, writer] = longs(pipe).map(Number) as [number, number];
    const [reader, to] = longs(fifo).map(Number) as [number, number];
    const empty = new Uint8Array(8 + 16);
    t.call('transfer', [from, to, empty]);
    native.write(writer, bytes('longer than the buffer of a transfer'));
    t.call('transfer', [from, to, empty]);
    const moved = new Uint8Array(64);
    t.note('spliced', host.decode(moved, native.read(reader, moved)));
    // The size of a pipe.
    native.write(to, new Uint8Array(1 << 16));
    native.write(writer, bytes('x'));
    t.call('transfer', [from, to, empty]);
    native.close(reader);
    native.close(writer);
    native.close(from);
    native.close(to);
    const odd = new Uint8Array(8 + 16);
    odd[4] = 17;
    t.call('transfer', [a, out, odd]);
    t.call('transfer', [a, out, new Uint8Array(8)]);
    const plain = native.openAt(AT_FDCWD, file, 0, 0);
    t.call('transfer', [plain, out, new Uint8Array(8 + 16)]);
    native.close(plain);
    native.close(out);
    t.call('transfer', [9999, 9998, new Uint8Array(8 + 16)]);
  },
  isReadable(t) {
    const pair = new Uint8Array(16);
    native.pipe(pair);
    const view = new DataView(pair.buffer);
    const [reading, writing] = [view.getInt32(0, true), view.getInt32(8, true)];
    t.note('empty', native.isReadable(reading));
    native.write(writing, new Uint8Array(1));
    t.note('with a byte', native.isReadable(reading));
    native.close(writing);
    native.close(reading);
    t.call('isReadable', [-1]);
  },
  unwatch(t) {
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    t.call('unwatch', [a]);
    native.watch(a, 3);
    t.call('unwatch', [a]);
    native.write(b, bytes('x'));
    t.call('ready', [new Uint8Array(4), 0]);
    native.close(a);
    native.close(b);
    t.call('unwatch', [-1]);
  },
  ready(t) {
    t.call('ready', [new Uint8Array(3), 0]);
    t.call('ready', [new Uint8Array(4), 0]);
    t.call('ready', [new Uint8Array(4), 5]);
    t.call('ready', [new Uint8Array(4)]);
  },
  countMounts(t) {
    t.call('countMounts', [0]);
    t.call('countMounts', [1]);
    t.call('countMounts', [3]);
    t.call('countMounts', [513]);
  },
  mountTemplate(t) {
    const fd = t.call('mountTemplate', [], 'fd or ENOENT');
    if (fd >= 0) native.close(fd);
  },
  idMapTree(t) {
    t.call('idMapTree', [9999, -1, 0]);
    t.call('idMapTree', [9999, 9998, 0]);
  },
  openTree(t, dir) {
    native.close(t.call('openTree', [AT_FDCWD, dir, 0], 'fd'));
    t.call('openTree', [AT_FDCWD, `${dir}/none`, 0]);
    t.call('openTree', [AT_FDCWD, dir, 0x40000000]);
    native.close(t.call('openTree', [AT_FDCWD, dir, 1], 'fd or EPERM'));
  },
  compileSeccomp(t) {
    const out = new Uint8Array(32768);
    const compile = (profile: Partial<SeccompProfile>, room = out) => {
      const whole = { defaultAction: SECCOMP_RET_ERRNO | 1, architectures: [], syscalls: [], ...profile };
      const n = t.call('compileSeccomp', [packProfile(whole), room]);
      if (n < 0) t.note('position', longs(room.subarray(0, 16)));
      return n;
    };
    const allow = { names: ['read', 'write'], action: SECCOMP_RET_ALLOW, args: [] };
    const equal = { index: 0, op: 4, value: 5, valueTwo: 0 };
    // Every instruction is compared: both hosts have the same libseccomp.
    const clone3 = { names: ['clone3'], action: SECCOMP_RET_ERRNO | 38, args: [equal] };
    const n = compile({ architectures: ['x86_64'], syscalls: [allow, clone3] });
    t.note('program', Array.from(out.subarray(0, n)).join(' '));
    const wide = { index: 0, op: 7, value: 18446744073709551615n, valueTwo: 1 };
    compile({ syscalls: [{ ...allow, names: ['clone', 'no_such_call'], args: [wide, { ...equal, index: 1 }] }] });
    compile({}, new Uint8Array(16));
    compile({}, new Uint8Array(0));
    compile({ defaultAction: 0x12345678 });
    compile({ architectures: ['pdp11'] });
    compile({ architectures: ['x86', 's390x'] });
    compile({ syscalls: [allow, { ...allow, args: [{ ...equal, index: 6 }] }] });
    compile({ syscalls: [{ ...allow, args: [{ ...equal, op: 8 }] }] });
    compile({ syscalls: [{ ...allow, args: Array(65).fill(equal) }] });
    compile({ syscalls: [{ ...allow, action: 0x12345678 }] });
    const packed = packProfile({ defaultAction: SECCOMP_RET_ALLOW, architectures: [], syscalls: [allow] });
    for (const length of [0, 7, 8, 31, 32, packed.length - 1]) {
      t.call('compileSeccomp', [packed.slice(0, length), out]);
    }
  },
  unknownSyscalls(t) {
    const out = new Uint8Array(64);
    for (const names of ['read\0no_such_call\0waitpid\0_llseek\0\0', '', 'read\0', 'read'])
      t.note('unknown', JSON.stringify(text(out, t.call('unknownSyscalls', [bytes(names), out]))));
    t.call('unknownSyscalls', [bytes('no_such_call\0'), new Uint8Array(12)]);
  },
  seccompVersion(t) {
    const out = new Uint8Array(64);
    t.note('version', text(out, t.call('seccompVersion', [out])));
    t.call('seccompVersion', [new Uint8Array(4)]);
    t.call('seccompVersion', [new Uint8Array(0)]);
  },
  seccompFlags(t) {
    for (const flags of [0, 1, 2, 4, 8, 0x40000000, -1]) t.call('seccompFlags', [flags]);
  },
  sha256(t) {
    const out = new Uint8Array(32);
    for (const length of [0, 3, 55, 56, 63, 64, 65, 119, 120, 1000]) {
      t.call('sha256', [bytes('abc'.repeat(400)).subarray(0, length), out]);
      t.note('digest', Array.from(out, (b) => b.toString(16).padStart(2, '0')).join(''));
    }
    t.call('sha256', [bytes('abc'), new Uint8Array(31)]);
  },
  matching(t) {
    const out = new Uint8Array(64);
    const names = bytes('web-1\0web-2\0db\0');
    for (const pattern of ['web', '^web-[0-9]$', '^(db|web-2)$', '', 'x', '[[:digit:]]', '(', '[', 'a{2']) {
      t.note('matches', text(out, t.call('matching', [pattern, names, out])));
    }
    t.call('matching', ['web', bytes('no end'), out]);
    t.call('matching', ['web', names, new Uint8Array(6)]);
    t.call('matching', ['web', names, new Uint8Array(5)]);
    t.call('matching', ['web', bytes(''), out]);
  },
  wideIntegers(t) {
    const out = new Uint8Array(200);
    for (const json of [
      '{"a":[1,18446744073709551615,{"b":-9223372036854775808}]}',
      '9007199254740992',
      ' 9007199254740993 ',
      '{"~/\\u00fc\\ud83d\\ude00\\"":12345678901234567890}',
      '{"ü":[[],{},12345678901234567890.0,1e30,99999999999999999999]}',
      '{"a\\u0000":99999999999999999999}',
      '{"\\ud800":99999999999999999999}',
      '[1,]',
      '{"a":1,}',
      '',
      '01',
      'nul',
      '"\u0001"',
      '[1] x',
      `${'['.repeat(600)}${']'.repeat(600)}`,
    ]) {
      t.note(json.slice(0, 60), JSON.stringify(text(out, t.call('wideIntegers', [bytes(json), out]))));
    }
    t.call('wideIntegers', [bytes('[18446744073709551615]'), new Uint8Array(10)]);
  },
  zeroBytes(t) {
    for (const list of ['', 'a', '\0', 'a\0bc\0\0', '\0'.repeat(100)]) t.call('zeroBytes', [bytes(list)]);
  },
  jsonError(t) {
    const place = new Uint8Array(8);
    for (const json of [
      '"',
      '"\n"',
      '"\\x"',
      '[1,]',
      '',
      '[01]',
      '{"a":1,}',
      '{"ü":1,x',
      '{',
      '{"a"',
      '{"a":1',
      '[[]',
      '{} x',
      '{"a":[1e5,18446744073709551615]}',
      `${'['.repeat(600)}`,
    ]) {
      place.fill(0);
      t.call('jsonError', [bytes(json), place]);
      t.note(json.slice(0, 60), longs(place)[0]);
    }
    t.call('jsonError', [bytes('['), new Uint8Array(7)]);
  },
  forward(t) {
    const fd = t.call('forward', [], 'fd');
    const pair = new Uint8Array(16);
    native.socketPair(pair);
    const [a, b] = longs(pair).map(Number) as [number, number];
    native.watch(a, 1234567);
    native.write(b, bytes('x'));
    const id = new Uint8Array(4);
    t.note('bytes', native.read(fd, id));
    t.note('id', new DataView(id.buffer).getInt32(0, true));
    native.close(a);
    native.close(b);
    t.call('forward', [0]);
  },
};

function procText(path: string): string {
  const out = new Uint8Array(1 << 16);
  return text(out, native.readFile(AT_FDCWD, path, out));
}

function linkText(path: string): string {
  const out = new Uint8Array(200);
  return text(out, native.readLink(AT_FDCWD, path, out));
}

/** Starts a helper without stdio. */
function helper(path: string, args: string[]): { pid: number; pidfd: number } {
  const pidfd = new Uint8Array(8);
  const pid = native.spawn(path, bytes(`${args.join('\0')}\0`), new Uint8Array(0), -1, -1, -1, pidfd);
  return { pid, pidfd: Number(longs(pidfd)[0]) };
}

/**
 * Runs every case below `dir`, which exists and belongs to this host. @returns the names of the functions and the
 * transcript
 */
export function runScript(dir: string): { names: string[]; cases: string[]; lines: Line[] } {
  const t = new Transcript();
  for (const name of Object.keys(cases) as Name[]) {
    const place = `${dir}/${name}`;
    native.mkdirAt(AT_FDCWD, place, 0o755);
    native.writeFile(AT_FDCWD, `${place}/file`, O_CREAT, 0o644, bytes('0123456789'));
    cases[name](t, place, `${place}/file`);
  }
  // UTF-8 both ways: the hosts must agree on malformed text.
  const malformed = [
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x9f, 0x98],
    [0xf0, 0x9f, 0x41],
    [0xf5, 0x80],
    [0xe2, 0x82, 0x41],
    [0x80, 0x80],
    [0xef, 0xbb, 0xbf, 0x41],
    [0xf0, 0x9f, 0x98, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe0, 0x80, 0xaf],
    [0xc3],
  ];
  for (const list of malformed) {
    t.note(`decode ${list}`, JSON.stringify(host.decode(new Uint8Array(list), list.length)));
    const raw = host.decodeRaw(new Uint8Array(list), list.length);
    t.note(`decode raw ${list}`, JSON.stringify(raw));
    if (`${bytes(raw)}` !== `${list}`) throw new Error(`${list} comes back as ${bytes(raw)}`);
  }
  t.note('decode a part', host.decode(bytes('abcdef'), 3));
  for (const s of ['', 'a\0b', 'grüße 😀', '\ud800', 'x\udc00\ud800y', '힣', '\udc7f\udc80\udcff\udd00', 'é\udce9'])
    t.note(`encode ${JSON.stringify(s)}`, bytes(s));
  return {
    names: Object.getOwnPropertyNames(native as Native).sort(),
    cases: Object.keys(cases).sort(),
    lines: t.lines,
  };
}
