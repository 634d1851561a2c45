/** A recorded process: known again by pid and start time, held by a pidfd, signalled, never another one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  holdProcess,
  isAlive,
  openProcess,
  pidNamespace,
  recorded,
  signalProcess,
  thisProcess,
  unifiedPlace,
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

test('alive: by pid and start time; a zombie and pid 0 are not', () => {
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

test('recorded: with its start time, or none when it has ended, so that it is never taken for alive', () => {
  const { kernel } = host();
  assert.equal(recorded(2500), record);
  assert.equal(recorded(2999), { pid: 2999, startTime: '' });
  assert.is(isAlive(recorded(2999)), false);
  assert.equal(thisProcess(), { pid: kernel.processes.own.pid, startTime: '2000' });
});

test('open: a pidfd that the caller closes; -1 when it has ended or its number is another one', () => {
  const { kernel, process } = host();
  assert.ok(openProcess(record) > 2);
  assert.equal(kernel.open, ['pidfd 2500']);
  assert.is(openProcess({ ...record, startTime: '1' }), -1);
  process.exit(0);
  assert.is(openProcess(record), -1);
  assert.is(kernel.open.length, 1);
});

test('pid namespace: only a missing procfs means that it is not known', () => {
  const { kernel } = host();
  kernel.on('readLink', () => -E.ENOENT);
  assert.is(pidNamespace(), undefined);
  kernel.on('readLink', () => -E.ENOMEM);
  assert.throws(
    () => pidNamespace(),
    (error: unknown) => error instanceof RuntError && error.code === 'ERR_PROCESS' && error.errno === E.ENOMEM,
  );
});

test('open: where pidfd_open(2) fails or is refused, it is an error and not "ended"', () => {
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

test('open: a pid that pidfd_open(2) does not know and /proc shows is of another pid namespace', () => {
  const { kernel } = host();
  kernel.on('pidfdOpen', () => -E.ESRCH);
  assert.throws(() => openProcess(record), /open process 2500: ESRCH/);
});

test('hold: a failing look at /proc closes the pidfd', () => {
  const { kernel } = host();
  kernel.on('processStat', () => -E.EIO);
  assert.throws(() => holdProcess(record), /read \/proc\/2500\/stat: EIO/);
  assert.equal(kernel.open, []);
});

test('signal: by the pidfd; where that is refused by kill(2), once it is seen that it has not ended', async () => {
  const { kernel, process } = host();
  process.onSignal = () => true;
  const held = holdProcess(record)!;
  assert.is(held.signal(SIGTERM), 0);
  kernel.on('pidfdSignal', () => -E.ENOSYS);
  assert.is(held.signal(SIGTERM), 0);
  assert.is(
    held.signal(SIGTERM, () => true),
    0,
    'what is done instead',
  );
  assert.equal(process.signals, [SIGTERM, SIGTERM]);
  assert.is(signalProcess(held.fd, 2500, SIGKILL), 0);
  assert.is(held.signal(SIGTERM), -E.ESRCH);
  assert.is(signalProcess(held.fd, 2500, SIGTERM), -E.ESRCH);
  assert.is(await kernel.finish(held.ended()), true);
  held.close();
  assert.equal(kernel.open, []);
});

test('without pidfds: the start time is compared before each signal, and for its end', async () => {
  const { kernel, process } = host();
  process.onSignal = () => true;
  kernel.on('pidfdOpen', () => -E.ENOSYS);
  const held = holdProcess(record)!;
  assert.equal([held.fd, held.signal(SIGTERM)], [-1, 0]);
  assert.is(await kernel.finish(held.ended(100)), false);
  kernel.clock.after(50, () => {
    process.exit(0);
    kernel.processes.add({ pid: 2500, startTime: '9999' });
  });
  assert.is(await kernel.finish(held.ended()), true);
  assert.is(held.signal(SIGTERM), -E.ESRCH);
  assert.equal(kernel.processes.get(2500)?.signals, []);
});

test('the end is awaited no longer than the limit, also where epoll takes no more descriptors', async () => {
  const { kernel, process } = host();
  const held = holdProcess(record)!;
  const began = kernel.clock.now;
  assert.is(await kernel.finish(held.ended(300)), false);
  assert.is(kernel.clock.now - began, 300);
  kernel.on('watch', () => -E.ENOSPC);
  assert.is(await kernel.finish(held.ended(300)), false);
  kernel.clock.after(200, () => process.exit(0));
  assert.is(await kernel.finish(held.ended(300)), true);
});

test('the cgroup of v2 that a process is in; none for one that has ended', () => {
  const { kernel, process } = host();
  assert.is(unifiedPlace(2500), '');
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  const web = kernel.tree.directory('/sys/fs/cgroup/a/web');
  process.cgroups.set(web.fs, web);
  assert.equal([unifiedPlace(2500), unifiedPlace('self'), unifiedPlace(2999)], ['/a/web', '/', '']);
});

test.run();
