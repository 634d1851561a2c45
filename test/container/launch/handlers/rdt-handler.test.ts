/** The groups of the resctrl file system: made, used unchanged, or refused with the kernel's reason. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { applyRdt, type RdtOp, removeRdt } from '../../../../src/container/launch/handlers/rdt-handler.js';
import { resctrlMount } from '../../../../src/container/launch/read-host-facts.js';
import { E } from '../../../../src/sys/errno.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import { failed } from './failed-op.js';

const test = suite('resctrl');

const top = '/sys/fs/resctrl';
const at = '/linux/intelRdt';
const group = (make: 'new' | 'there' | 'either', schemata: readonly string[] = []): RdtOp =>
  ({ op: 'rdtGroup', at, path: `${top}/web`, make, schemata }) as RdtOp;

function mounted(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.tree.file(`${top}/info/last_cmd_status`, 'ok\n');
  return kernel;
}

test('a new group gets its schemata, and is recorded before the others for the undo', () => {
  const kernel = mounted();
  const made = ['/before'];
  applyRdt(group('new', ['L3:0=f', 'MB:0=50']), 5, made);
  applyRdt({ op: 'rdtMonitor', at, path: `${top}/web/mon` } as RdtOp, 5, made);
  assert.equal(made, [`${top}/web/mon`, `${top}/web`, '/before']);
  assert.is(kernel.tree.text(`${top}/web/schemata`), 'L3:0=f\nMB:0=50\n');
  applyRdt({ op: 'rdtAssign', at, paths: [`${top}/web`, `${top}/web/mon`] } as RdtOp, 5, made);
  assert.is(kernel.tree.text(`${top}/web/mon/tasks`), '5\n');
});

test('an existing group must have the same schemata, in any notation', () => {
  const kernel = mounted();
  kernel.tree.file(`${top}/web/tasks`);
  kernel.tree.file(`${top}/web/schemata`, '    L3:0=007F0;1=1f\n    MB:0= 50\n');
  const made: string[] = [];
  applyRdt(group('either', ['L3:1=1F;0=7f0']), 5, made);
  applyRdt(group('there'), 5, made);
  assert.equal(made, [], 'the group existed before, and is not removed');
  assert.is(
    failed(() => applyRdt(group('either', ['L3:0=7f1']), 5, made)),
    'EEXIST schemata L3:0 is 7f0, not 7f1',
  );
  assert.is(
    failed(() => applyRdt(group('there', ['L2:0=1']), 5, made)),
    'EEXIST schemata L2:0 is not there, not 1',
  );
  assert.is(
    failed(() => applyRdt(group('new'), 5, made)),
    'EEXIST mkdir',
  );
});

test('a group that must exist and does not is an error', () => {
  mounted();
  assert.is(
    failed(() => applyRdt(group('there'), 5, [])),
    'ENOENT access',
  );
});

test('a refusal has the text of last_cmd_status', () => {
  const kernel = mounted();
  kernel.tree.file(`${top}/info/last_cmd_status`, 'out of CLOSIDs\n');
  kernel.failAt('mkdirAt', 1, E.ENOSPC);
  assert.is(
    failed(() => applyRdt(group('new'), 5, [])),
    'ENOSPC mkdir out of CLOSIDs',
  );
  kernel.failAt('writeFile', 1, E.EINVAL);
  const made: string[] = [];
  assert.is(
    failed(() => applyRdt(group('new', ['L3:0=f']), 5, made)),
    'EINVAL write out of CLOSIDs',
  );
  assert.equal(made, [`${top}/web`], 'the group was made, and the undo removes it');
  kernel.tree.file(`${top}/info/last_cmd_status`, 'ok\n');
  kernel.failAt('writeFile', 1, E.EINVAL);
  const assign = { op: 'rdtAssign', at, paths: [`${top}/web`] } as RdtOp;
  assert.is(
    failed(() => applyRdt(assign, 5, [])),
    `EINVAL write ${top}/web/tasks`,
  );
});

test('removeRdt accepts a missing group, and fails for one that stays', () => {
  const kernel = mounted();
  kernel.tree.directory(`${top}/web`);
  removeRdt([`${top}/gone`, `${top}/web`]);
  assert.is(kernel.tree.at(`${top}/web`), undefined);
  kernel.tree.directory(`${top}/web`);
  kernel.failAt('unlinkAt', 1, E.EBUSY);
  assert.match(failed(() => removeRdt([`${top}/web`])) ?? '', /^ERR_RDT remove the resctrl group .*: EBUSY/);
});

test('resctrlMount finds the mount point in mountinfo, with its escapes', () => {
  const line = (point: string, type: string): string => `30 1 0:26 / ${point} rw shared:1 - ${type} none rw\n`;
  assert.is(resctrlMount(line('/sys', 'sysfs')), '');
  assert.is(resctrlMount(line('/sys', 'sysfs') + line('/my\\040rdt', 'resctrl')), '/my rdt');
});

test.run();
