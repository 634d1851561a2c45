/** The fake kernel: it answers as Linux does, and reports errors of the code under test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { fdList, fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  LOCK_EX,
  LOCK_NB,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  SIGKILL,
  SIGTERM,
} from '../../../src/sys/linux.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { readable, sleep } from '../../../src/sys/waiting/loop.js';
import { elapse } from '../../deadline.js';
import { mountCgroups } from './cgroups.js';
import { eachFailure } from './each-failure.js';
import { FakeKernel } from './fake-kernel.js';

const test = suite('fake kernel');

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Calls on files below an empty directory; each result is a number, an errno or the text that was read. */
function transcript(n: Native, at: number): string[] {
  const lines: string[] = [];
  const note = (what: string, result: number, out?: Uint8Array): number => {
    const text = out && result > 0 ? JSON.stringify(new TextDecoder().decode(out.subarray(0, result))) : '';
    lines.push(`${what}: ${result < 0 ? E[-result] : text || (what.startsWith('open') ? 'fd' : result)}`);
    return result;
  };
  const call = (name: keyof Native, ...args: unknown[]): number => {
    const f = n[name] as (...a: unknown[]) => number;
    const out = args.find((arg): arg is Uint8Array => arg instanceof Uint8Array);
    const reads = ['read', 'readFile', 'readDir', 'readLink'].includes(name);
    return note(`${name} ${args.filter((a) => typeof a === 'string').join(' ')}`, f(...args), reads ? out : undefined);
  };
  const open = (path: string, flags: number, mode = 0o600): number => call('openAt', at, path, flags, mode);
  const buffer = () => new Uint8Array(64);

  call('mkdirAt', at, 'd', 0o700);
  call('mkdirAt', at, 'd', 0o700);
  call('mkdirAt', at, 'none/d', 0o700);
  call('writeFile', at, 'd/f', O_CREAT | O_EXCL, 0o600, bytes('one'));
  call('writeFile', at, 'd/f', O_CREAT | O_EXCL, 0o600, bytes('two'));
  call('writeFile', at, 'd', 0, 0, bytes('two'));
  call('writeFile', at, 'd/none', 0, 0, bytes('two'));
  call('mkdirAt', at, 'd/f/x', 0o700);
  call('readFile', at, 'd/f', buffer());
  call('readFile', at, 'd/f', new Uint8Array(2));
  call('readFile', at, 'd', buffer());
  call('readFile', at, 'none', buffer());
  call('readFile', at, 'd/f/x', buffer());
  call('readDir', at, 'd', buffer());
  call('readDir', at, 'd/f', buffer());
  call('readDir', at, 'd', new Uint8Array(1));
  call('replaceFile', at, 'd/f', 0o600, bytes('new'));
  call('replaceFile', at, 'none/f', 0o600, bytes('new'));
  call('replaceFile', at, 'd', 0o600, bytes('new'));
  call('readDir', at, 'd', buffer());
  call('readLink', at, 'd/f', buffer());
  call('unlinkAt', at, 'd', 0);
  call('unlinkAt', at, 'd', AT_REMOVEDIR);
  call('unlinkAt', at, 'd/f', AT_REMOVEDIR);
  call('unlinkAt', at, 'none', 0);
  call('openDirectory', at, 'd/f', O_PATH);
  call('openEntry', at, 'd/f', O_RDONLY);
  call('stat', at, 'd/f', AT_SYMLINK_NOFOLLOW, new Uint8Array(64));
  call('stat', at, 'none', 0, new Uint8Array(64));
  call('chownAt', at, 'none', -1n, -1n);
  open('x'.repeat(256), O_RDONLY);
  open('d', O_WRONLY);
  open('d/', O_RDONLY);
  open('d/f/', O_RDONLY);
  open('', O_RDONLY);

  const file = open('d/f', O_RDWR | O_APPEND);
  call('read', file, buffer());
  call('read', file, buffer());
  call('write', file, bytes(' more'));
  const short = open('d/f', O_WRONLY | O_TRUNC);
  call('write', short, bytes('short'));
  call('read', short, buffer());
  call('flock', file, LOCK_EX | LOCK_NB);
  call('flock', short, LOCK_EX | LOCK_NB);
  call('close', file);
  call('flock', short, LOCK_EX | LOCK_NB);
  call('close', short);
  call('readFile', at, 'd/f', buffer());

  const path = call('openDirectory', at, 'd', O_PATH);
  call('read', path, buffer());
  call('stat', path, '', AT_EMPTY_PATH, new Uint8Array(64));
  call('readLink', path, '', buffer());
  call('unlinkAt', at, 'd/f', 0);
  call('unlinkAt', at, 'd', AT_REMOVEDIR);
  call('mkdirAt', path, 'again', 0o700);
  call('readDir', path, '.', buffer());
  call('stat', path, '', AT_EMPTY_PATH, new Uint8Array(64));
  call('close', path);
  call('removeTree', at, 'd');
  call('mkdirAt', at, 't', 0o700);
  call('mkdirAt', at, 't/u', 0o700);
  call('writeFile', at, 't/u/f', O_CREAT, 0o600, bytes('x'));
  call('removeTree', at, 't');
  call('readDir', at, '.', buffer());
  return lines;
}

test('files: the results of the fake kernel are those of Linux', () => {
  const { native: linux } = useNodeHost([]);
  const dir = mkdtempSync(join(tmpdir(), 'runt-fake-'));
  let expected: string[];
  try {
    const at = linux.openDirectory(AT_FDCWD, dir, O_PATH);
    expected = transcript(linux, at);
    linux.close(at);
  } finally {
    rmSync(dir, { recursive: true });
  }
  new FakeKernel().tree.directory('/t');
  const actual = transcript(native, native.openDirectory(AT_FDCWD, '/t', O_PATH));
  assert.equal(actual, expected);
  assert.ok(new Set(expected.map((line) => line.slice(line.lastIndexOf(': ')))).size > 12);
});

test('files: symlinks are followed up to the limit', () => {
  const kernel = new FakeKernel();
  kernel.tree.file('/a/b/file', 'text');
  kernel.tree.symlink('/a/up', '../a/b');
  kernel.tree.symlink('/a/loop', 'loop');
  const out = new Uint8Array(16);
  assert.is(native.readFile(AT_FDCWD, '/a/up/file', out), 4);
  assert.is(native.readFile(AT_FDCWD, '/a/up/../up/file', out), 4);
  assert.is(native.readFile(AT_FDCWD, '/a/up/../file', out), -E.ENOENT, 'up/.. is /a');
  assert.is(native.readFile(AT_FDCWD, '/a/loop', out), -E.ELOOP);
  assert.is(native.openEntry(AT_FDCWD, '/a/loop', O_RDONLY), -E.ELOOP);
  assert.is(native.openDirectory(AT_FDCWD, '/a/up', O_PATH), -E.ENOTDIR);
  const fd = native.openDirectory(AT_FDCWD, '/a/b', O_PATH);
  assert.is(native.readFile(AT_FDCWD, `/proc/self/fd/${fd}/file`, out), 4);
});

test('an unexpected call fails with its name and arguments', () => {
  const kernel = new FakeKernel();
  assert.throws(() => native.signalFd(5n), 'unexpected call: native.signalFd(5)');
  kernel.on('signalFd', () => -E.EPERM);
  assert.is(native.signalFd(5n), -E.EPERM);
  assert.equal(kernel.calls, ['signalFd(5) = EPERM']);
});

test('a planned failure happens once, at its call; one that was not reached is reported', async () => {
  const kernel = new FakeKernel();
  kernel.failAt('mkdirAt', 2, E.ENOSPC);
  kernel.failAt('unlinkAt', 1, E.EIO);
  const results = ['/a', '/b', '/b'].map((path) => native.mkdirAt(AT_FDCWD, path, 0o700));
  assert.equal(results, [0, -E.ENOSPC, 0]);
  assert.equal(kernel.unreached, ['call 1 of unlinkAt: EIO']);
  const outcomes = await eachFailure(
    () => new FakeKernel(),
    () => ['/a', '/b'].map((path) => native.mkdirAt(AT_FDCWD, path, 0o700)),
  );
  assert.equal(
    outcomes.map(({ call, kernel }) => [call, kernel.tree.list('/')]),
    [
      ['mkdirAt(AT_FDCWD, /a, 0o700)', ['b', 'proc', 'run']],
      ['mkdirAt(AT_FDCWD, /b, 0o700)', ['a', 'proc', 'run']],
    ],
  );
});

test('the use of a closed descriptor is an error of the code under test', () => {
  new FakeKernel();
  const fd = native.openDirectory(AT_FDCWD, '/', O_PATH);
  assert.is(native.close(fd), 0);
  assert.throws(() => native.close(fd), /was closed before/);
  assert.is(native.close(-1), -E.EBADF);
});

test('waits take no time: the clock moves to the next event', async () => {
  const kernel = new FakeKernel();
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = fdPair(pair);
  const begin = kernel.clock.now;
  kernel.clock.after(7000, () => native.write(theirs, bytes('x')));
  const when = async (work: Promise<unknown>) => [await work, kernel.clock.now - begin];
  const [first, second] = [when(readable(ours, 60_000)), when(readable(theirs, 3000))];
  assert.equal(await kernel.finish(Promise.all([first, second])), [
    [true, 7000],
    [false, 3000],
  ]);
  const real = Date.now();
  await kernel.finish(sleep(3_600_000));
  assert.ok(Date.now() - real < 30_000);
  // Nothing happens here: there is nothing to wait for.
  await elapse(1);
  const never = await kernel.finish(new Promise(() => {})).catch((error: Error) => error.message);
  assert.is(never, 'the work waits, and there are no more events');
});

test('processes receive signals, end, and are reaped by their parent only', () => {
  const kernel = new FakeKernel();
  const other = kernel.processes.add({ onSignal: (signal) => signal === SIGTERM });
  const pidfd = native.pidfdOpen(other.pid);
  assert.is(native.pidfdSignal(pidfd, SIGTERM), 0);
  assert.is(native.isReadable(pidfd), 0, 'it handles SIGTERM');
  assert.is(native.pidfdSignal(pidfd, SIGKILL), 0);
  assert.equal([native.isReadable(pidfd), native.pidfdSignal(pidfd, SIGKILL)], [1, -E.ESRCH]);
  assert.equal(other.signals, [SIGTERM, SIGKILL]);
  assert.is(native.waitPidfd(pidfd, new Uint8Array(16)), -E.ECHILD);
  assert.is(native.pidfdOpen(other.pid), -E.ESRCH);

  kernel.processes.programs.set('/bin/tool', ({ process, args, file }) => {
    file(1)?.write(bytes(args.join(' ')));
    process.exit(3);
    return 0;
  });
  const out = new Uint8Array(16);
  assert.is(native.spawn('/bin/none', bytes('none\0'), bytes(''), -1, -1, -1, out), -E.ENOENT);
  const pid = native.spawn('/bin/tool', bytes('tool\0-x\0'), bytes(''), -1, 1, 2, out);
  const child = new DataView(out.buffer).getInt32(0, true);
  assert.is(kernel.descriptors.written(1), 'tool -x');
  assert.is(native.pidfdOpen(pid) > 0, true, 'a zombie has its number');
  assert.is(native.waitPidfd(child, out), 1);
  assert.equal([out[0], out[8]], [1, 3]);
  assert.is(native.reapChild(pid), -E.ECHILD);
});

test('sockets connect scripted servers and clients, and pass descriptors', () => {
  const kernel = new FakeKernel();
  const answers: string[] = [];
  kernel.sockets.listen('/run/server', (end) => {
    end.onMessage = () => {
      answers.push(end.text());
      end.send('answer');
    };
  });
  const run = native.openDirectory(AT_FDCWD, '/run', O_PATH);
  const client = native.unixConnect(run, 'server');
  native.write(client, bytes('question'));
  const data = new Uint8Array(16);
  assert.equal([native.read(client, data), answers], [6, ['question']]);
  assert.throws(() => native.read(client, data), /would block for ever/);

  const listener = native.unixListen(run, 'own', 1);
  assert.is(native.accept(listener), -E.EAGAIN);
  const peer = kernel.sockets.connect('/run/own');
  const connection = native.accept(listener);
  native.sendFds(connection, fdList([run]), bytes('x'));
  const received = peer.receive(1);
  assert.ok(typeof received !== 'number' && received.files[0]?.inode === kernel.tree.at('/run'));
  peer.drop();
  assert.equal([native.isReadable(connection), native.read(connection, data)], [1, 0]);
  assert.is(native.send(connection, data), -E.EPIPE);
  kernel.sockets.connect('/run/own', false);
  assert.is(native.accept(listener), -E.EACCES);
  native.close(listener);
  assert.is(native.unixConnect(run, 'own'), -E.ECONNREFUSED);
  assert.is(native.unixConnect(run, 'none'), -E.ENOENT);
});

for (const v2 of [true, false]) {
  test(`cgroups of ${v2 ? 'v2' : 'v1'} hold, freeze and kill processes, and can be removed when empty`, () => {
    const kernel = new FakeKernel();
    const top = v2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/freezer';
    mountCgroups(kernel, top, { controllers: v2 ? '' : 'freezer', files: { 'some.max': 'max\n' } });
    const path = `${top}/a/b`;
    const write = (file: string, text: string) => native.writeFile(AT_FDCWD, `${path}/${file}`, 0, 0, bytes(text));
    native.mkdirAt(AT_FDCWD, `${top}/a`, 0o755);
    native.mkdirAt(AT_FDCWD, path, 0o755);
    assert.is(kernel.tree.text(`${path}/some.max`), 'max\n');
    const process = kernel.processes.add();
    write('cgroup.procs', String(process.pid));
    assert.is(kernel.tree.text(`${path}/cgroup.procs`), `${process.pid}\n`);
    assert.is(kernel.tree.text(`/proc/${process.pid}/cgroup`), v2 ? '0::/a/b\n' : '1:freezer:/a/b\n');
    assert.is(native.removeCgroup(`${top}/a`), -E.EBUSY);
    if (v2) {
      write('cgroup.freeze', '1');
      assert.is(kernel.tree.text(`${path}/cgroup.events`), 'populated 1\nfrozen 1\n');
      write('cgroup.kill', '1');
    } else {
      write('freezer.state', 'FROZEN');
      native.killProcess(process.pid, SIGKILL);
      assert.is(process.end, undefined, 'it is frozen');
      write('freezer.state', 'THAWED');
    }
    assert.ok(process.end);
    assert.is(native.removeCgroup(`${top}/a`), 0);
    assert.equal(kernel.tree.at(`${top}/a`), undefined);
  });
}

test.run();
