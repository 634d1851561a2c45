/** The undo of an update, for files that do not read back what was written. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeAll } from '../../../src/container/update/all-or-nothing.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { E } from '../../../src/sys/errno.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('all or nothing');

const directory = '/sys/fs/cgroup/web';

/** A kernel with a cgroup of plain files; `written` lists the writes to them in order. */
function withFiles(files: Readonly<Record<string, string>>): { kernel: FakeKernel; written: string[] } {
  const kernel = new FakeKernel();
  const written: string[] = [];
  for (const [name, first] of Object.entries(files)) {
    let text = first;
    const write = (next: string) => {
      text = next;
      written.push(`${name} ${JSON.stringify(next)}`);
      return 0;
    };
    kernel.tree.file(`${directory}/${name}`, { read: () => text, write });
  }
  return { kernel, written };
}

const write = (file: string, value: string): Op => ({ op: 'cgroupWrite', at: '', path: `${directory}/${file}`, value });

/** What the operations write, and then what the undo writes. */
function undone(files: Readonly<Record<string, string>>, ...ops: Op[]): string[] {
  const { written } = withFiles(files);
  const { refused, restore } = writeAll(ops);
  assert.is(refused, undefined);
  written.length = 0;
  assert.equal(restore(), []);
  return written;
}

test('a plain value is restored; an empty CPU list is a line feed, because no bytes would be no write', () => {
  assert.equal(undone({ 'pids.max': 'max\n' }, write('pids.max', '5')), ['pids.max "max"']);
  assert.equal(undone({ 'cpuset.cpus': '\n' }, write('cpuset.cpus', '0-1')), ['cpuset.cpus "\\n"']);
});

test('several values are restored in reverse', () => {
  assert.equal(undone({ a: '1\n', b: '2\n' }, write('a', '3'), write('b', '4')), ['b "2"', 'a "1"']);
});

test('the limits of a device are restored from its own line, or removed if it had none', () => {
  const limits = '8:0 rbps=1 wbps=max riops=max wiops=max\n';
  assert.equal(undone({ 'io.max': limits }, write('io.max', '8:0 rbps=5')), [
    'io.max "8:0 rbps=1 wbps=max riops=max wiops=max"',
  ]);
  assert.equal(undone({ 'io.max': limits }, write('io.max', '8:16 rbps=5')), [
    'io.max "8:16 rbps=max wbps=max riops=max wiops=max"',
  ]);
  assert.equal(undone({ 'io.weight': 'default 100\n' }, write('io.weight', '8:0 50')), ['io.weight "8:0 default"']);
  assert.equal(undone({ 'blkio.throttle.read_bps_device': '' }, write('blkio.throttle.read_bps_device', '8:0 50')), [
    'blkio.throttle.read_bps_device "8:0 0"',
  ]);
  assert.equal(undone({ 'io.weight': 'default 100\n8:0 70\n' }, write('io.weight', '50')), ['io.weight "default 100"']);
});

test('cpu.max has one line, which is not that of a device', () => {
  assert.equal(undone({ 'cpu.max': 'max 100000\n' }, write('cpu.max', '5000 100000')), ['cpu.max "max 100000"']);
});

test('the OOM killer of v1 is restored from the first line', () => {
  assert.equal(
    undone({ 'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\n' }, write('memory.oom_control', '1')),
    ['memory.oom_control "0"'],
  );
});

test('a cgroup that was not idle gets its weight back, which the kernel resets', () => {
  assert.equal(undone({ 'cpu.idle': '0\n', 'cpu.weight': '300\n' }, write('cpu.idle', '1')), [
    'cpu.idle "0"',
    'cpu.weight "300"',
  ]);
  assert.equal(undone({ 'cpu.idle': '1\n', 'cpu.weight': '0\n' }, write('cpu.idle', '0')), ['cpu.idle "1"']);
});

test('v1 device rules are undone by their opposites; a rule for all devices cannot be undone', () => {
  const files = { 'devices.allow': '', 'devices.deny': '' };
  assert.equal(undone(files, write('devices.allow', 'c 1:3 rw'), write('devices.deny', 'b *:* m')), [
    'devices.allow "b *:* m"',
    'devices.deny "c 1:3 rw"',
  ]);
  withFiles(files);
  const { restore } = writeAll([write('devices.deny', 'a')]);
  assert.equal(restore(), [`${directory}/devices.allow`]);
});

test('the undo covers the first existing file of several, and real-time values of v1', () => {
  const first: Op = {
    op: 'cgroupWriteFirst',
    at: '',
    paths: [`${directory}/none`, `${directory}/io.weight`],
    values: ['1', '2'],
    required: false,
  };
  assert.equal(undone({ 'io.weight': 'default 100\n' }, first), ['io.weight "default 100"']);
  assert.equal(undone({}, first), [], 'none of the files exists, and none is required');
  const realtime: Op = { op: 'cgroupRealtime', at: '', path: directory, file: 'cpu.rt_runtime_us', value: '900' };
  assert.equal(undone({ 'cpu.rt_runtime_us': '0\n' }, realtime), ['cpu.rt_runtime_us "0"']);
});

test('a file whose old value could not be read is named by the undo', () => {
  const { kernel } = withFiles({ 'pids.max': 'max\n', a: '1\n' });
  kernel.failAt('readFile', 1, E.EIO);
  const { restore } = writeAll([write('pids.max', '5'), write('a', '2')]);
  assert.equal(restore(), [`${directory}/pids.max`]);
});

test('after a refused write the earlier ones are undone, and the failure names its operation', () => {
  const { kernel, written } = withFiles({ a: '1\n', b: '2\n' });
  kernel.tree.at(`${directory}/b`)!.hooks = { read: () => '2\n', write: () => -E.EBUSY };
  const { refused, restore } = writeAll([write('a', '3'), write('b', '4')]);
  assert.equal([refused?.failed.errno, refused?.failed.op, refused?.unrestored], [E.EBUSY, write('b', '4'), []]);
  assert.equal(written, ['a "3"', 'a "1"']);
  assert.equal(restore(), [], 'the undo is done already');
});

test.run();
