/** The cgroup operations of a plan: what they make and write, and what they refuse. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { applyCgroupOp, type CgroupOp } from '../../../../src/container/launch/handlers/cgroup-handler.js';
import { ValueFile } from '../../../../src/container/launch/handlers/value-file.js';
import { E } from '../../../../src/sys/errno.js';
import { RuntError } from '../../../../src/sys/error.js';
import { mountCgroups } from '../../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';

const test = suite('cgroup handler');

const top = '/sys/fs/cgroup';
const at = '/linux/cgroupsPath';

/** cgroup v2; the top has no cgroup.type, as in the kernel. */
function v2(): FakeKernel {
  const kernel = new FakeKernel();
  const files = { 'cgroup.subtree_control': '', 'cgroup.type': 'domain\n' };
  mountCgroups(kernel, top, { controllers: '', files }).entries?.delete('cgroup.type');
  return kernel;
}

/** Performs the operation. @returns a description of the failure, and the cgroups that it made */
function apply(op: CgroupOp, made: string[] = []): string {
  try {
    const f = applyCgroupOp(op, made);
    const words = f ? `${E[f.errno]} ${f.syscall} ${f.detail}${f.cgroupGone ? ', the cgroup is gone' : ''}` : 'done';
    return [words, ...made].join('; ');
  } catch (error) {
    if (error instanceof RuntError) return `${error.code} ${error.message}`;
    throw error;
  }
}

const create = (path: string, state = 'cgroup.events'): CgroupOp => ({
  op: 'cgroupCreate',
  at,
  path,
  freezer: `${path}/${state}`,
});

test('create makes missing parents first, and records every new cgroup for the undo', () => {
  v2();
  assert.is(apply(create(`${top}/a/b`)), `done; ${top}/a; ${top}/a/b`);
  assert.is(apply(create(`${top}/a/b`)), 'done', 'an existing empty cgroup is not recorded');
});

test('after a failed create, the cgroups that it made are recorded for the undo', () => {
  const kernel = v2();
  kernel.failAt('mkdirAt', 3, E.EIO);
  assert.is(apply(create(`${top}/a/b`)), `EIO mkdir ${top}/a/b; ${top}/a`);
  v2().failAt('mkdirAt', 2, E.EACCES);
  assert.is(apply(create(`${top}/a/b`)), `EACCES mkdir ${top}/a`);
});

test('create refuses an existing cgroup with processes below it', () => {
  const kernel = v2();
  const below = kernel.tree.directory(`${top}/a/below`);
  const pids = [0, 1, 2, 3, 4, 5, 6].map(() => kernel.processes.add({ cgroups: [below] }).pid);
  try {
    applyCgroupOp(create(`${top}/a`), []);
    assert.unreachable('the cgroup was accepted');
  } catch (error) {
    assert.instance(error, RuntError);
    const { code, hint, pointer } = error as RuntError;
    assert.equal([code, pointer], ['ERR_CGROUP_BUSY', at]);
    assert.match(hint ?? '', new RegExp(`^end process ${pids.slice(0, 5).join(', ')} and 2 more, or`));
  }
});

test('create refuses a cgroup below a frozen one, also on v1', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a`);
  kernel.tree.at(`${top}/a/cgroup.freeze`)?.hooks.write?.('1');
  assert.match(apply(create(`${top}/a/b`)), /^ERR_CGROUP container's cgroup unexpectedly frozen/);
  const old = new FakeKernel();
  mountCgroups(old, `${top}/freezer`, { controllers: 'freezer' });
  const v1 = (path: string): CgroupOp => create(path, 'freezer.state');
  assert.is(apply(v1(`${top}/freezer/b`)), `done; ${top}/freezer/b`);
  old.tree.at(`${top}/freezer/b/freezer.state`)?.hooks.write?.('FROZEN');
  assert.match(apply(v1(`${top}/freezer/b/c`)), /^ERR_CGROUP container's cgroup unexpectedly frozen/);
});

test('create does not take an unreadable freezer state for "thawed"', () => {
  v2().failAt('readFile', 1, E.EIO);
  assert.is(apply(create(`${top}/a`)), `EIO read ${top}/a/cgroup.events; ${top}/a`);
});

test('create reads no freezer state in a hierarchy without a freezer', () => {
  v2().failAt('readFile', 1, E.EIO);
  assert.is(apply({ op: 'cgroupCreate', at, path: `${top}/a` }), `done; ${top}/a`);
});

test('a write to a missing file says whether the whole cgroup is missing', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a`);
  const write = (path: string): string => apply({ op: 'cgroupWrite', at, path, value: '5' });
  assert.is(write(`${top}/a/cpu.weight`), `ENOENT write ${top}/a/cpu.weight`);
  assert.is(write(`${top}/gone/cpu.weight`), `ENOENT write ${top}/gone/cpu.weight, the cgroup is gone`);
  kernel.tree.file(`${top}/a/cpu.weight`);
  assert.is(write(`${top}/a/cpu.weight`), 'done');
  assert.is(kernel.tree.text(`${top}/a/cpu.weight`), '5');
});

test('values for one file are written through one descriptor, each by a write of its own', () => {
  const kernel = v2();
  const file = new ValueFile();
  const written: string[] = [];
  for (const name of ['allow', 'deny']) {
    kernel.tree.file(`${top}/devices.${name}`, {
      write: (value) => (value === 'bad' ? -E.EINVAL : written.push(`${name} ${value}`) && 0),
    });
  }
  const write = (name: string, value: string) =>
    applyCgroupOp({ op: 'cgroupWrite', at, path: `${top}/devices.${name}`, value }, [], file);
  for (const [name, value] of [
    ['deny', 'a'],
    ['allow', 'c 1:3 rwm'],
    ['allow', 'c 1:5 rwm'],
  ] as const)
    assert.is(write(name, value), undefined);
  kernel.failAt('openAt', 1, E.EMFILE);
  assert.is(write('allow', 'c 1:7 rwm'), undefined, 'the file is still open');
  assert.equal(written, ['deny a', 'allow c 1:3 rwm', 'allow c 1:5 rwm', 'allow c 1:7 rwm']);
  assert.is(write('allow', 'bad')?.errno, E.EINVAL);
  file.close();
  assert.is(write('allow', 'c 1:8 rwm')?.errno, E.EMFILE, 'a closed file is opened again');
});

test('cgroupWriteFirst writes the value of the first existing file', () => {
  const kernel = v2();
  const paths = [`${top}/a/new`, `${top}/a/old`];
  const first = (required: boolean): string =>
    apply({ op: 'cgroupWriteFirst', at, paths, values: ['1', '2'], required });
  kernel.tree.directory(`${top}/a`);
  assert.is(first(false), 'done', 'no file is required');
  assert.is(first(true), `ENOENT write ${top}/a/new`);
  kernel.tree.file(`${top}/a/old`);
  assert.is(first(true), 'done');
  assert.is(kernel.tree.text(`${top}/a/old`), '2');
  kernel.tree.file(`${top}/a/new`, { write: () => -E.EINVAL });
  assert.is(first(true), `EINVAL write ${top}/a/new`, 'a refused value is not written to another file');
});

test('cgroupRealtime writes the value to the new parents first', () => {
  const kernel = v2();
  const order: string[] = [];
  for (const path of ['a', 'a/b', 'other']) {
    kernel.tree.file(`${top}/${path}/cpu.rt`, { write: () => order.push(path) - order.length });
  }
  const op = { op: 'cgroupRealtime', at, path: `${top}/a/b`, file: 'cpu.rt', value: '9' } as const;
  assert.is(applyCgroupOp(op, [`${top}/a`, `${top}/other`, `${top}/a/b`]), undefined);
  assert.equal(order, ['a', 'a/b']);
  kernel.tree.file(`${top}/a/cpu.rt`, { write: () => -E.EINVAL });
  assert.is(applyCgroupOp(op, [`${top}/a`])?.errno, E.EINVAL);
});

test('cgroupInherit copies the value of the nearest parent that has one', () => {
  const kernel = v2();
  for (const [path, text] of [
    ['', '0-3\n'],
    ['/a', '0-1\n'],
    ['/a/b', ''],
    ['/a/b/c', '\n'],
  ]) {
    kernel.tree.file(`${top}${path}/cpus`, text ?? '');
  }
  const op = { op: 'cgroupInherit', at, path: `${top}/a/b/c`, top, file: 'cpus' } as const;
  assert.is(apply(op), 'done');
  assert.equal(
    ['/a', '/a/b', '/a/b/c'].map((path) => kernel.tree.text(`${top}${path}/cpus`)),
    ['0-1\n', '0-1', '0-1'],
  );
  kernel.tree.file(`${top}/a/b/c/cpus`, '');
  kernel.failAt('writeFile', 1, E.EACCES);
  assert.is(apply(op), `EACCES write ${top}/a/b/c/cpus`);
  kernel.calls.length = 0;
  assert.is(applyCgroupOp(op, [`${top}/a/b`, `${top}/a/b/c`]), undefined);
  const read = kernel.calls.filter((call) => call.startsWith('readFile'));
  assert.is(read.length, 1, 'only that of /a: the others are new');
  assert.is(kernel.tree.text(`${top}/a/b/c/cpus`), '0-1');
});

test('cgroupControllers enables all in one write, and separately where the kernel refuses some', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a/b`);
  const op = {
    op: 'cgroupControllers',
    at,
    path: `${top}/a/b`,
    top,
    required: ['pids'],
    wanted: ['cpu', 'io'],
  } as const;
  const written: string[] = [];
  const control = (path: string, refuses: string): void => {
    const write = (text: string): number => {
      written.push(`${path}: ${text}`);
      return text.includes(refuses) ? -E.ENOENT : 0;
    };
    kernel.tree.file(`${top}${path}/cgroup.subtree_control`, { read: () => 'memory\n', write });
  };
  control('', '+io');
  control('/a', '+never');
  assert.is(apply(op), 'done', 'an optional controller may be missing');
  assert.equal(written, [': +pids', ': +cpu +io', ': +cpu', ': +io', '/a: +pids', '/a: +cpu +io']);
  control('', '+pids');
  assert.is(apply(op), `ENOENT write ${top}/cgroup.subtree_control`);
});

test('cgroupControllers enables none in a cgroup that has processes', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a/b`);
  kernel.processes.add({ cgroups: [kernel.tree.directory(`${top}/a`)] });
  const op = { op: 'cgroupControllers', at, path: `${top}/a/b`, top } as const;
  assert.is(apply({ ...op, required: [], wanted: ['cpu'] }), 'done');
  assert.is(kernel.tree.text(`${top}/a/cgroup.subtree_control`), '');
  assert.is(apply({ ...op, required: ['cpu'], wanted: [] }), `EBUSY write ${top}/a/cgroup.subtree_control`);
});

test('cgroupControllers reads a long list of processes with a larger buffer', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a/b`);
  kernel.tree.file(`${top}/a/cgroup.procs`, `${'123456\n'.repeat(2000)}`);
  const op = { op: 'cgroupControllers', at, path: `${top}/a/b`, top, required: ['cpu'], wanted: [] } as const;
  assert.is(apply(op), `EBUSY write ${top}/a/cgroup.subtree_control`);
});

test('a device filter that cannot be attached is an error', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a`);
  const filter = { allow: false, exceptions: [] };
  const devices = (path: string): string => apply({ op: 'cgroupDevices', at, path, filter } as CgroupOp);
  assert.is(devices(`${top}/a`), 'done');
  kernel.on('attachDeviceFilter', () => -E.ENOENT);
  assert.is(devices(`${top}/gone`), `ENOENT bpf ${top}/gone, the cgroup is gone`);
});

test('cgroupOwner changes the owner of the directory and of the files that the kernel delegates', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/a`);
  const op = { op: 'cgroupOwner', at, path: `${top}/a`, uid: 1000 } as const;
  assert.is(apply(op), 'done', 'missing files of controllers do not matter');
  const owners = (): string[] =>
    [...(kernel.tree.at(`${top}/a`)?.entries ?? [])].filter(([, { uid }]) => uid === 1000).map(([name]) => name);
  assert.equal(owners().sort(), ['cgroup.procs', 'cgroup.subtree_control']);
  kernel.tree.file('/sys/kernel/cgroup/delegate', 'cgroup.events\n');
  assert.is(apply(op), 'done');
  assert.ok(owners().includes('cgroup.events'));
  kernel.failAt('chownAt', 2, E.EPERM);
  assert.is(apply(op), `EPERM fchownat ${top}/a/cgroup.events`);
  assert.match(apply({ ...op, path: `${top}/gone` }), /^ENOENT fchownat/);
});

test.run();
