/** Updates of running containers: which operations are made, in which directories of the container. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCgroupFacts } from '../../src/cgroup/cgroup-facts.js';
import { deviceList } from '../../src/cgroup/devices/device-list.js';
import { LiveCgroups } from '../../src/cgroup/live-cgroups.js';
import { deviceChanges } from '../../src/plan/cgroup/device-rule-ops.js';
import { updateOps } from '../../src/plan/cgroup/update-compile.js';
import type { Op } from '../../src/plan/plan-ops.js';
import type { DeviceRule, Resources } from '../../src/spec/config-types.js';
import { hybrid, v2 } from './fixtures.js';

function ops(
  layout: 'hybrid' | 'v2',
  resources: Resources,
  directories: string[],
  files: Record<string, string> = {},
): Op[] {
  const texts = layout === 'v2' ? v2 : hybrid;
  const facts = parseCgroupFacts(texts.cgroup, texts.mountinfo, () => (layout === 'v2' ? v2.controllers : 'hugetlb'));
  return updateOps(new LiveCgroups(facts, directories, (path) => files[path]), resources);
}
const code = (wanted: string, pointer: string) => (e: { code: string; pointer: string }) => {
  assert.equal([e.code, e.pointer], [wanted, pointer]);
  return true;
};

const box = ['/sys/fs/cgroup/memory/a/box', '/sys/fs/cgroup/pids/a/box', '/sys/fs/cgroup/unified/a/box'];

test('on v1 each value is written in the recorded directory, with a pointer into the resources', () => {
  assert.equal(ops('hybrid', { memory: { limit: 5 }, pids: { limit: 7 } }, box), [
    { op: 'cgroupWrite', at: '/memory/limit', path: `${box[0]}/memory.limit_in_bytes`, value: '5' },
    { op: 'cgroupWrite', at: '/pids/limit', path: `${box[1]}/pids.max`, value: '7' },
  ]);
});

test('on a hybrid host huge pages are limited in the v2 directory', () => {
  assert.equal(
    ops('hybrid', { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }, box).map((op) => 'path' in op && op.path),
    [`${box[2]}/hugetlb.2MB.max`, false],
  );
});

test('a controller that the host lacks and a cgroup that the container lacks have different error codes', () => {
  assert.throws(
    () => ops('hybrid', { blockIO: { weight: 10 } }, box),
    code('ERR_CGROUP_CONTROLLER', '/blockIO/weight'),
  );
  assert.throws(() => ops('hybrid', { cpu: { shares: 10 } }, box), code('ERR_CGROUP_NOT_DELEGATED', '/cpu/shares'));
  assert.throws(() => ops('v2', { cpu: { shares: 10 } }, []), code('ERR_CGROUP_NOT_DELEGATED', '/cpu/shares'));
});

test('on v2 an update of swap alone counts from the memory limit in force', () => {
  const path = '/sys/fs/cgroup/box';
  const written = (swap: number, max: string) =>
    ops('v2', { memory: { swap } }, [path], { [`${path}/memory.max`]: max }).at(-1);
  assert.equal(written(1500, '1000\n'), {
    op: 'cgroupWrite',
    at: '/memory/swap',
    path: `${path}/memory.swap.max`,
    value: '500',
  });
  assert.throws(() => written(1500, 'max\n'), code('ERR_SPEC_VALUE', '/memory/swap'));
  assert.throws(() => written(500, '1000\n'), code('ERR_SPEC_VALUE', '/memory/swap'));
});

const changes = (rules: DeviceRule[], current: string): string[] =>
  deviceChanges('/d', deviceList(rules, '/devices', []), current).map((op) =>
    op.op === 'cgroupWrite' ? `${op.path.slice(11)} ${op.value}` : op.op,
  );
const defaults = deviceChanges('/d', deviceList([], '', []), '')
  .map((op) => (op.op === 'cgroupWrite' ? op.value : ''))
  .join('\n');

test('on v1 only the device rules that differ are written, additions first', () => {
  assert.equal(changes([], defaults), []);
  const rules: DeviceRule[] = [{ allow: true, type: 'b', major: 8, minor: 0, access: 'rw' }];
  assert.equal(changes(rules, defaults), ['allow b 8:0 rw']);
  assert.equal(changes(rules, `${defaults}\nb 8:0 rm\nb 8:1 r`), ['allow b 8:0 w', 'deny b 8:0 m', 'deny b 8:1 r']);
});

test('on v1 a change from or to access to all devices writes the whole list', () => {
  assert.equal(changes([{ allow: true, access: 'rwm' }], defaults), ['allow a']);
  assert.is(changes([{ allow: false }], 'a *:* rwm\n')[0], 'deny a');
  assert.is(changes([{ allow: false }], 'a *:* rwm\n').length, 1 + defaults.split('\n').length);
});

test.run();
