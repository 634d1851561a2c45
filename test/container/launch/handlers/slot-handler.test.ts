/** Descriptors that the runtime opens for runt-init. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSlot, type SlotOp } from '../../../../src/container/launch/handlers/slot-handler.js';
import { E } from '../../../../src/sys/errno.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import { recordOf } from '../../state/records.js';
import { failed, failedLater } from './failed-op.js';

const test = suite('slots');

const at = '/mounts/0';
const tree = (over: Partial<Extract<SlotOp, { op: 'openTree' }>> = {}): SlotOp => ({
  op: 'openTree',
  at,
  source: '/data',
  recursive: true,
  nofollow: false,
  optional: false,
  slot: 0,
  ...over,
});

/** Opens the slot for a container whose process exists unless its start time differs. */
function opened(kernel: FakeKernel, op: SlotOp): string {
  const fd = openSlot(op, recordOf('web'));
  if (typeof fd !== 'number') throw new Error('it waits');
  return fd < 0 ? 'none' : (kernel.descriptors.get(fd)?.shown ?? '');
}

test('openTree opens the source, and skips only an optional one that is missing', () => {
  const kernel = new FakeKernel();
  assert.is(
    failed(() => opened(kernel, tree())),
    'ENOENT open_tree /data',
  );
  assert.is(opened(kernel, tree({ optional: true })), 'none');
  kernel.tree.directory('/data');
  assert.is(opened(kernel, tree()), '/data');
  kernel.failAt('openTree', 1, E.EPERM);
  assert.is(
    failed(() => opened(kernel, tree({ optional: true }))),
    'EPERM open_tree /data',
    'only a missing source is skipped',
  );
});

test('the output file of hooks is created, private to its owner', () => {
  const kernel = new FakeKernel();
  const op = { op: 'hookFile', at, path: '/run/hooks.log', slot: 0 } as const;
  assert.is(opened(kernel, op), '/run/hooks.log');
  assert.is(kernel.tree.at('/run/hooks.log')?.mode, 0o100600);
  kernel.failAt('openAt', 1, E.EROFS);
  assert.is(
    failed(() => opened(kernel, op)),
    'EROFS open /run/hooks.log',
  );
});

test('cgroupOpen opens a file, cgroupDirectory a directory', () => {
  const kernel = new FakeKernel();
  kernel.tree.file('/cg/tasks');
  assert.is(opened(kernel, { op: 'cgroupOpen', at, path: '/cg/tasks', slot: 0 }), '/cg/tasks');
  assert.is(opened(kernel, { op: 'cgroupDirectory', at, path: '/cg', slot: 0 }), '/cg');
  assert.is(
    failed(() => opened(kernel, { op: 'cgroupDirectory', at, path: '/gone', slot: 0 })),
    'ENOENT open /gone',
  );
});

test('consoleConnect connects to the console socket', async () => {
  const kernel = new FakeKernel();
  const op = { op: 'consoleConnect', at, path: '/run/console', slot: 0 } as const;
  const connect = (): Promise<string | undefined> =>
    kernel.finish(failedLater(Promise.resolve(openSlot(op, recordOf('web')))));
  assert.is(await connect(), 'ENOENT connect /run/console');
  kernel.sockets.listen('/run/console', () => {});
  assert.is(await connect(), undefined);
  assert.equal(kernel.open, ['connection to /run/console']);
});

const initProcess: SlotOp = { op: 'initProcess', at, pid: 2500, startTime: '3500', slot: 0 };
const processRoot: SlotOp = { op: 'processRoot', at, slot: 0 };

test("the container's first process is opened by pid and start time", () => {
  const kernel = new FakeKernel();
  assert.is(
    failed(() => opened(kernel, initProcess)),
    'ESRCH pidfd_open',
  );
  const process = kernel.processes.add({ pid: 2500 });
  assert.is(opened(kernel, initProcess), 'pidfd 2500');
  process.exit(0);
  kernel.processes.add({ pid: 2500, startTime: '9' });
  assert.is(
    failed(() => opened(kernel, initProcess)),
    'ESRCH pidfd_open',
    'another process with the pid',
  );
});

test('if a seccomp filter denies pidfd_open(2), the process directory in /proc is opened', () => {
  const kernel = new FakeKernel();
  kernel.on('pidfdOpen', () => -E.ENOSYS);
  kernel.processes.add({ pid: 2500 });
  assert.is(opened(kernel, initProcess), '/proc/2500');
  kernel.before('openDirectory', 1, () => kernel.processes.get(2500)?.exit(0));
  const before = kernel.open;
  assert.match(failed(() => opened(kernel, initProcess)) ?? '', /^E(?:SRCH|NOENT) open \/proc\/2500$/);
  assert.equal(kernel.open, before);
});

test('the root of the first process is opened, and the process must still exist afterwards', () => {
  const kernel = new FakeKernel();
  const process = kernel.processes.add({ pid: 2500 });
  assert.is(opened(kernel, processRoot), '/');
  const before = kernel.open;
  kernel.before('processStat', 1, () => process.exit(0));
  assert.is(
    failed(() => opened(kernel, processRoot)),
    'ESRCH open /proc/2500/root',
  );
  assert.equal(kernel.open, before);
});

test.run();
