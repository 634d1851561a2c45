/** A recorded process: identified by pid and start time, held by a pidfd, and never confused with another process. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  holdProcess,
  isAlive,
  openProcess,
  pidNamespace,
  recordProcess,
  signalProcess,
  thisProcess,
  unifiedPath,
} from '../../../src/container/state/recorded-process.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { SIGKILL, SIGTERM } from '../../../src/sys/linux.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';

const test = suite('recorded process');

const record = { pid: 2500, startTime: '3500' };

function host(): { kernel: FakeKernel; process: FakeProcess } {
  const kernel = new FakeKernel();
  return { kernel, process: kernel.processes.add({ pid: 2500 }) };
}

test('a process is alive if pid and start time match; a zombie and pid 0 are not', () => {
  const { process } = host();
  assert.equal(
    [isAlive(record), isAlive({ ...record, startTime: '1' }), isAlive({ pid: 0, startTime: '' })],
    [true, false, false],
  );
  for (const state of ['Z', 'X']) {
    process.state = state;
    assert.is(isAlive(record), false);
  }
});

test('recorded has the start time, or none for an ended process, which is then never alive', () => {
  const { kernel } = host();
  assert.equal(recordProcess(2500), record);
  assert.equal(recordProcess(2999), { pid: 2999, startTime: '' });
  assert.is(isAlive(recordProcess(2999)), false);
  assert.equal(thisProcess(), { pid: kernel.processes.own.pid, startTime: '2000' });
});

test('openProcess returns a pidfd, or -1 if the process ended or the pid was reused', () => {
  const { kernel, process } = host();
  assert.ok(openProcess(record) > 2);
  assert.equal(kernel.open, ['pidfd 2500']);
  assert.is(openProcess({ ...record, startTime: '1' }), -1);
  process.exit(0);
  assert.is(openProcess(record), -1);
  assert.is(kernel.open.length, 1);
});

test('only a missing procfs makes the pid namespace unknown', () => {
  const { kernel } = host();
  kernel.on('readLink', () => -E.ENOENT);
  assert.is(pidNamespace(), undefined);
  kernel.on('readLink', () => -E.ENOMEM);
  assert.throws(
    () => pidNamespace(),
    (error: unknown) => error instanceof RuntError && error.code === 'ERR_PROCESS' && error.errno === E.ENOMEM,
  );
});

test('a failed or refused pidfd_open(2) is an error and does not mean "ended"', () => {
  for (const [errno, hint] of [
    [E.EMFILE, undefined],
    [E.ENOSYS, 'allow pidfd_open(2) in the seccomp filter that runt runs under'],
  ] as const) {
    const { kernel } = host();
    kernel.on('pidfdOpen', () => -errno);
    let error: unknown;
    try {
      openProcess(record);
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof RuntError);
    assert.equal([error.code, error.errno, error.hint], ['ERR_PROCESS', errno, hint]);
  }
});

test('a pid that /proc shows and pidfd_open(2) does not find belongs to another pid namespace', () => {
  const { kernel } = host();
  kernel.on('pidfdOpen', () => -E.ESRCH);
  assert.throws(() => openProcess(record), /open process 2500: ESRCH/);
});

test('holdProcess closes the pidfd if the check in /proc fails', () => {
  const { kernel } = host();
  kernel.on('processStat', () => -E.EIO);
  assert.throws(() => holdProcess(record), /read \/proc\/2500\/stat: EIO/);
  assert.equal(kernel.open, []);
});

test('a signal is sent by pidfd, or by kill(2) after a check if pidfds are refused', async () => {
  const { kernel, process } = host();
  process.onSignal = () => true;
  const held = holdProcess(record)!;
  assert.is(held.signal(SIGTERM), 0);
  kernel.on('pidfdSignal', () => -E.ENOSYS);
  assert.is(held.signal(SIGTERM), 0);
  assert.is(
    held.signal(SIGTERM, () => true),
    0,
    'the function that is called instead of kill(2)',
  );
  assert.equal(process.signals, [SIGTERM, SIGTERM]);
  assert.is(signalProcess(held.fd, 2500, SIGKILL), 0);
  assert.is(held.signal(SIGTERM), -E.ESRCH);
  assert.is(signalProcess(held.fd, 2500, SIGTERM), -E.ESRCH);
  assert.is(await kernel.finish(held.waitForEnd()), true);
  held.close();
  assert.equal(kernel.open, []);
});

test('without pidfds the start time is compared before each signal and for the end', async () => {
  const { kernel, process } = host();
  process.onSignal = () => true;
  kernel.on('pidfdOpen', () => -E.ENOSYS);
  const held = holdProcess(record)!;
  assert.equal([held.fd, held.signal(SIGTERM)], [-1, 0]);
  assert.is(await kernel.finish(held.waitForEnd(100)), false);
  kernel.clock.after(50, () => {
    process.exit(0);
    kernel.processes.add({ pid: 2500, startTime: '9999' });
  });
  assert.is(await kernel.finish(held.waitForEnd()), true);
  assert.is(held.signal(SIGTERM), -E.ESRCH);
  assert.equal(kernel.processes.get(2500)?.signals, []);
});

test('the wait for the end keeps its time limit, also if epoll accepts no more descriptors', async () => {
  const { kernel, process } = host();
  const held = holdProcess(record)!;
  const began = kernel.clock.now;
  assert.is(await kernel.finish(held.waitForEnd(300)), false);
  assert.is(kernel.clock.now - began, 300);
  kernel.on('watch', () => -E.ENOSPC);
  assert.is(await kernel.finish(held.waitForEnd(300)), false);
  kernel.clock.after(200, () => process.exit(0));
  assert.is(await kernel.finish(held.waitForEnd(300)), true);
});

test('unifiedPlace returns the v2 cgroup of a process, and nothing for an ended one', () => {
  const { kernel, process } = host();
  assert.is(unifiedPath(2500), '');
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  const web = kernel.tree.directory('/sys/fs/cgroup/a/web');
  process.cgroups.set(web.fs, web);
  assert.equal([unifiedPath(2500), unifiedPath('self'), unifiedPath(2999)], ['/a/web', '/', '']);
});

test.run();
