/** The freezer of v1 and v2: which cgroup has it, its state, and the errors of its files. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findFrozen, freezerOf, freezerState, isFrozen, thaw } from '../../src/cgroup/freezer.js';
import { frozenAncestor, frozenError } from '../../src/cgroup/frozen-ancestor.js';
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

test('freezerOf finds the freezer of v2, or that of v1 among all hierarchies, also in the hybrid layout', () => {
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

test('a container without cgroups, or with other v1 controllers only, has no freezer', () => {
  const kernel = host('v1');
  kernel.tree.directory(`${top}/memory/web`);
  assert.is(freezerOf([]), undefined);
  assert.is(freezerOf([`${top}/memory/web`]), undefined);
  assert.is(isFrozen([`${top}/memory/web`]), false);
  thaw([`${top}/memory/web`]);
});

test('a plain file named freezer.state is not a freezer', () => {
  const kernel = host('v2');
  kernel.tree.directory(`${top}/web`);
  kernel.tree.file('/tmp/web/freezer.state', 'FROZEN\n');
  assert.is(freezerOf([`${top}/web`])?.v2, true);
  assert.throws(() => freezerOf(['/tmp/web']), /no cgroup hierarchy is mounted at \/tmp\/web/);
});

test('a container is frozen by its own cgroup or by one above it, which is named with the command to thaw it', () => {
  for (const [layout, path, file, word, command] of [
    ['v2', `${top}/above/web`, 'cgroup.freeze', '1', `echo 0 > ${top}/above/cgroup.freeze`],
    ['v1', `${top}/freezer/above/web`, 'freezer.state', 'FROZEN', `echo THAWED > ${top}/freezer/above/freezer.state`],
  ] as const) {
    const kernel = host(layout);
    kernel.tree.directory(path);
    assert.is(findFrozen([path]), undefined);
    const above = path.slice(0, -'/web'.length);
    write(kernel, `${above}/${file}`, word);
    if (layout === 'v1') kernel.tree.file(`${above}/freezer.self_freezing`, '1\n');
    assert.is(findFrozen([path])?.directory, path);
    assert.is(
      isFrozen([path]),
      layout === 'v1',
      'on v2 cgroup.freeze has the state that was requested for the cgroup itself',
    );
    assert.is(frozenAncestor(path), above);
    const error = frozenError('exec web: the cgroup is frozen', path, 'wait');
    assert.equal(
      [error.message, error.hint],
      [`exec web: the cgroup is frozen by the cgroup ${above}: ${path}`, `thaw it: ${command}, or wait`],
    );
  }
});

test('thaw on v1 also thaws the frozen cgroups below', () => {
  const kernel = host('v1');
  const path = `${top}/freezer/web`;
  for (const each of [path, `${path}/a`, `${path}/a/b`]) {
    kernel.tree.directory(each);
    write(kernel, `${each}/freezer.state`, 'FROZEN');
  }
  thaw([path]);
  for (const each of [path, `${path}/a`, `${path}/a/b`]) assert.is(isFrozen([each]), false, each);
});

test('thaw fails for a cgroup that stays frozen, and not for one that is thawed or removed', () => {
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

test('a freezer file that cannot be accessed or read is an error, not a thawed cgroup', () => {
  const kernel = host('v1');
  const path = `${top}/freezer/web`;
  kernel.tree.directory(path);
  write(kernel, `${path}/freezer.state`, 'FROZEN');
  kernel.failAt('access', 1, E.EACCES);
  assert.is(failure(() => isFrozen([path])).message, `read ${path}/freezer.state: EACCES (permission denied)`);
  kernel.failAt('readFile', 1, E.EIO);
  assert.is(failure(() => isFrozen([path])).code, 'ERR_CGROUP');
  kernel.failAt('readFile', 1, E.EIO);
  assert.is(failure(() => frozenAncestor(path)).code, 'ERR_CGROUP');
});

test('a cgroup that is removed during the read is not frozen; an unmounted hierarchy is an error', () => {
  const kernel = host('v2');
  const file = `${top}/web/cgroup.freeze`;
  kernel.tree.directory(`${top}/web`);
  for (const errno of [E.ENODEV, E.ENOENT]) {
    kernel.failAt('readFile', 1, errno);
    assert.is(freezerState({ file, directory: `${top}/web` }), '');
    kernel.failAt('readFile', 1, errno);
    assert.is(frozenAncestor(`${top}/web`), undefined);
  }
  kernel.tree.unmount(kernel.tree.at(top)!);
  assert.throws(() => isFrozen([`${top}/web`]), /no cgroup hierarchy is mounted/);
});

test.run();
