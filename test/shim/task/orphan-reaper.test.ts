/** Reaping of orphans on the fake host: which children are reaped, and which are left to their own waits. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reapAtEnd, reapPeriodically, startReaping } from '../../../src/shim/task/orphan-reaper.js';
import { E } from '../../../src/sys/errno.js';
import { sleep } from '../../../src/sys/waiting/loop.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('orphan reaper');

function withChildren() {
  const kernel = new FakeKernel();
  const own = kernel.processes.own.pid;
  const children = (): number[] => kernel.processes.list.filter(({ parent }) => parent === own).map(({ pid }) => pid);
  kernel.tree.file(`/proc/${own}/task/${own}/children`, { read: () => `${children().join(' ')} ` }, 0o444);
  const [signals, kernelEnd] = SocketEnd.pair('signalfd', false);
  kernelEnd.hold();
  const masks: bigint[] = [];
  kernel.on('signalFd', (mask) => {
    masks.push(mask);
    return kernel.descriptors.open(signals);
  });
  return {
    kernel,
    children,
    masks,
    child: () => kernel.processes.add({ parent: own }),
    signal: () => kernelEnd.send('SIGCHLD'),
  };
}

const SIGCHLD_AND_SIGPIPE = (1n << 16n) | (1n << 12n);

test('a zombie is reaped some time after SIGCHLD, and one that another wait reaps meanwhile is skipped', async () => {
  const { kernel, children, masks, child, signal } = withChildren();
  const reaping = startReaping();
  const [first, second, lives] = [child(), child(), child()];
  first.exit(0);
  second.exit(1);
  signal();
  kernel.clock.after(1, () => kernel.processes.reap(second));
  await kernel.finish(sleep(60_000));
  assert.equal([masks, children()], [[SIGCHLD_AND_SIGPIPE], [lives.pid]]);
  assert.equal(kernel.open, ['signalfd']);
  reaping.end();
  await kernel.finish(sleep(1));
  assert.equal(kernel.open, []);
});

test('a failure is logged, and the next signal is handled', async () => {
  const { kernel, children, child, signal } = withChildren();
  const reaping = startReaping();
  child().exit(0);
  kernel.failAt('readFile', 1, E.EIO);
  signal();
  await kernel.finish(sleep(60_000));
  assert.match(kernel.descriptors.written(2), /orphans: .*EIO/);
  assert.is(children().length, 1);
  signal();
  await kernel.finish(sleep(60_000));
  assert.equal(children(), []);
  reaping.end();
  await kernel.finish(sleep(1));
  assert.equal(kernel.open, []);
});

test('if pidfd_open(2) is denied, a zombie is reaped by its pid', async () => {
  const { kernel, children, child, signal } = withChildren();
  kernel.on('pidfdOpen', () => -E.ENOSYS);
  const reaping = startReaping();
  child().exit(0);
  signal();
  await kernel.finish(sleep(60_000));
  assert.equal(children(), []);
  reaping.end();
  await kernel.finish(sleep(1));
  assert.equal(kernel.open, []);
});

test('without a signalfd the shim does not serve', async () => {
  const { kernel } = withChildren();
  kernel.failAt('signalFd', 1, E.EMFILE);
  assert.throws(startReaping, /make a signalfd: EMFILE/);
});

test('under Node.js zombies are reaped at intervals, until the reaper is ended', async () => {
  const { kernel, children, child } = withChildren();
  const reaping = reapPeriodically();
  child().exit(0);
  await kernel.finish(sleep(60_000));
  assert.equal(children(), []);
  reaping.end();
  await kernel.finish(sleep(60_000));
  child().exit(0);
  await kernel.finish(sleep(60_000));
  assert.is(children().length, 1);
});

test('a supervisor is reaped at its end, and another process with its pid is not', async () => {
  const { kernel, children, child } = withChildren();
  const { pid, startTime } = child();
  const waiting = reapAtEnd({ pid, startTime });
  kernel.clock.after(1000, () => kernel.processes.get(pid)?.exit(0));
  await kernel.finish(waiting);
  assert.equal([children(), kernel.open], [[], []]);
  const other = child();
  await kernel.finish(reapAtEnd({ pid: other.pid, startTime: 'another' }));
  assert.equal(children(), [other.pid]);
});

test.run();
