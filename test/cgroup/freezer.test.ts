/** The freezer of both versions: which cgroup has it, what it says, and what a failing file is not taken for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freezerOf, freezerState, isFrozen, stopped, thaw } from '../../src/cgroup/freezer.js';
import { frozenBy, frozenError } from '../../src/cgroup/frozen-ancestor.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { mountCgroups } from '../sys/fake-host/cgroups.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

const test = suite('freezer');

const top = '/sys/fs/cgroup';

function host(layout: 'v1' | 'v2' | 'hybrid'): FakeKernel {
  const kernel = new FakeKernel();
  if (layout === 'v2') mountCgroups(kernel, top, { controllers: '' });
  else for (const name of ['memory', 'freezer']) mountCgroups(kernel, `${top}/${name}`, { controllers: name });
  if (layout === 'hybrid') mountCgroups(kernel, `${top}/unified`, { controllers: '' });
  return kernel;
}

const write = (kernel: FakeKernel, path: string, text: string): void => void kernel.tree.at(path)?.hooks.write?.(text);

const failure = (f: () => unknown): RuntError => {
  try {
    f();
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

test('it is that of v2, or the one of v1 among all hierarchies, also in the hybrid layout', () => {
  const v2 = host('v2');
  v2.tree.directory(`${top}/web`);
  assert.is(freezerOf([`${top}/web`])?.file, `${top}/web/cgroup.freeze`);
  const paths = ['memory', 'freezer', 'unified'].map((name) => `${top}/${name}/web`);
  for (const layout of ['v1', 'hybrid'] as const) {
    const kernel = host(layout);
    const mounted = layout === 'v1' ? paths.slice(0, 2) : paths;
    for (const path of mounted) kernel.tree.directory(path);
    assert.is(freezerOf(mounted)?.file, `${top}/freezer/web/freezer.state`);
  }
});

test('none: without cgroups, and where only other controllers of v1 are', () => {
  const kernel = host('v1');
  kernel.tree.directory(`${top}/memory/web`);
  assert.is(freezerOf([]), undefined);
  assert.is(freezerOf([`${top}/memory/web`]), undefined);
  assert.is(isFrozen([`${top}/memory/web`]), false);
  thaw([`${top}/memory/web`]);
});

test('a plain file that is called freezer.state is none', () => {
  const kernel = host('v2');
  kernel.tree.directory(`${top}/web`);
  kernel.tree.file('/tmp/web/freezer.state', 'FROZEN\n');
  assert.is(freezerOf([`${top}/web`])?.v2, true);
  assert.throws(() => freezerOf(['/tmp/web']), /no cgroup hierarchy is mounted at \/tmp\/web/);
});

test('frozen by itself, or by a cgroup above it, which is named with the command that thaws it', () => {
  for (const [layout, path, file, word, command] of [
    ['v2', `${top}/above/web`, 'cgroup.freeze', '1', `echo 0 > ${top}/above/cgroup.freeze`],
    ['v1', `${top}/freezer/above/web`, 'freezer.state', 'FROZEN', `echo THAWED > ${top}/freezer/above/freezer.state`],
  ] as const) {
    const kernel = host(layout);
    kernel.tree.directory(path);
    assert.is(stopped([path]), undefined);
    const above = path.slice(0, -'/web'.length);
    write(kernel, `${above}/${file}`, word);
    if (layout === 'v1') kernel.tree.file(`${above}/freezer.self_freezing`, '1\n');
    assert.is(stopped([path])?.directory, path);
    assert.is(isFrozen([path]), layout === 'v1', 'v2 tells of what was asked of the cgroup itself');
    assert.is(frozenBy(path), above);
    const error = frozenError('exec web: the cgroup is frozen', path, 'wait');
    assert.equal(
      [error.message, error.hint],
      [`exec web: the cgroup is frozen by the cgroup ${above}: ${path}`, `thaw it: ${command}, or wait`],
    );
  }
});

test('thaw: on v1 also what is frozen below', () => {
  const kernel = host('v1');
  const path = `${top}/freezer/web`;
  for (const each of [path, `${path}/a`, `${path}/a/b`]) {
    kernel.tree.directory(each);
    write(kernel, `${each}/freezer.state`, 'FROZEN');
  }
  thaw([path]);
  for (const each of [path, `${path}/a`, `${path}/a/b`]) assert.is(isFrozen([each]), false, each);
});

test('thaw: one that does not thaw is an error; one that is thawed, or gone, is not', () => {
  const kernel = host('v2');
  const path = `${top}/web`;
  kernel.tree.directory(path);
  kernel.failAt('writeFile', 1, E.EIO);
  thaw([path]);
  write(kernel, `${path}/cgroup.freeze`, '1');
  kernel.failAt('writeFile', 1, E.EIO);
  assert.is(failure(() => thaw([path])).message, `write "0" to ${path}/cgroup.freeze: EIO (input/output error)`);
  kernel.tree.directory(top).entries?.delete('web');
  thaw([path]);
});

test('a file that cannot be looked at or read is an error, not a thawed cgroup', () => {
  const kernel = host('v1');
  const path = `${top}/freezer/web`;
  kernel.tree.directory(path);
  write(kernel, `${path}/freezer.state`, 'FROZEN');
  kernel.failAt('access', 1, E.EACCES);
  assert.is(failure(() => isFrozen([path])).message, `read ${path}/freezer.state: EACCES (permission denied)`);
  kernel.failAt('readFile', 1, E.EIO);
  assert.is(failure(() => isFrozen([path])).code, 'ERR_CGROUP');
  kernel.failAt('readFile', 1, E.EIO);
  assert.is(failure(() => frozenBy(path)).code, 'ERR_CGROUP');
});

test('a cgroup that is removed while it is read is not frozen; one whose hierarchy is unmounted is an error', () => {
  const kernel = host('v2');
  const file = `${top}/web/cgroup.freeze`;
  kernel.tree.directory(`${top}/web`);
  for (const errno of [E.ENODEV, E.ENOENT]) {
    kernel.failAt('readFile', 1, errno);
    assert.is(freezerState({ file, directory: `${top}/web` }), '');
    kernel.failAt('readFile', 1, errno);
    assert.is(frozenBy(`${top}/web`), undefined);
  }
  kernel.tree.unmount(kernel.tree.at(top)!);
  assert.throws(() => isFrozen([`${top}/web`]), /no cgroup hierarchy is mounted/);
});

test.run();
