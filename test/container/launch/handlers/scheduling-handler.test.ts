/** The scheduler and the I/O priority of the process, as the kernel encodes them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { applyScheduling } from '../../../../src/container/launch/handlers/scheduling-handler.js';
import { E } from '../../../../src/sys/errno.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import { failed } from './failed-op.js';

const test = suite('scheduling');

const scheduler = {
  op: 'scheduler',
  at: '/process/scheduler',
  policy: 6,
  flags: 1,
  nice: -5,
  priority: 0,
  runtime: 18446744073709551615n,
  deadline: 20n,
  period: 30,
} as const;
const ioPriority = { op: 'ioPriority', at: '/process/ioPriority', class: 2, priority: 4 } as const;

test('the I/O class is in the bits above the priority, and times have 64 bits', () => {
  const kernel = new FakeKernel();
  kernel.on('ioprioSet', () => 0);
  applyScheduling(ioPriority, 77);
  applyScheduling(scheduler, 77);
  assert.equal(kernel.calls, [
    `ioprioSet(77, ${(2 << 13) | 4}) = 0`,
    'schedSetAttr(77, 6, 0x1, -5, 0, -1, 20, 30) = 0',
  ]);
});

test('a refusal of the kernel is reported with its call', () => {
  const kernel = new FakeKernel();
  kernel.on('ioprioSet', () => 0);
  kernel.failAt('ioprioSet', 1, E.EPERM);
  assert.is(
    failed(() => applyScheduling(ioPriority, 77)),
    'EPERM ioprio_set',
  );
  kernel.failAt('schedSetAttr', 1, E.EBUSY);
  assert.is(
    failed(() => applyScheduling(scheduler, 77)),
    'EBUSY sched_setattr',
  );
});

test.run();
