/** Removal of cgroups: children first, a wait for processes that are exiting, and no removal of plain directories. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pidsIn } from '../../src/cgroup/cgroup-processes.js';
import { removeCgroups } from '../../src/cgroup/cgroup-removal.js';
import { E } from '../../src/sys/errno.js';
import type { RuntError } from '../../src/sys/error.js';
import { mountCgroups } from '../sys/fake-host/cgroups.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

const test = suite('removal of cgroups');

const top = '/sys/fs/cgroup';
const web = `${top}/web`;

function host(): FakeKernel {
  const kernel = new FakeKernel();
  mountCgroups(kernel, top, { controllers: '' });
  kernel.tree.directory(web);
  return kernel;
}

const remove = (kernel: FakeKernel, paths: readonly string[], stuck?: () => Promise<void>): Promise<unknown> =>
  kernel.finish(
    removeCgroups(paths, undefined, stuck).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

test('a cgroup is removed with its children; missing paths and plain directories are skipped', async () => {
  const kernel = host();
  kernel.tree.directory(`${web}/a/b`);
  kernel.tree.directory('/tmp/web');
  assert.is(await remove(kernel, [web, `${top}/none`, '/tmp/web']), undefined);
  assert.equal([kernel.tree.at(web), kernel.tree.list('/tmp')], [undefined, ['web']]);
});

test('deeper paths are removed first, because one path of the list may be below another', async () => {
  const kernel = host();
  kernel.tree.directory(`${web}/inner`);
  await remove(kernel, [web, `${web}/inner`]);
  const removals = kernel.calls.filter((call) => call.startsWith('removeCgroup'));
  assert.equal(removals, [`removeCgroup(${web}/inner) = 0`, `removeCgroup(${web}) = 0`]);
});

test('removal waits for a process that exits soon, without a call of the callback', async () => {
  const kernel = host();
  const process = kernel.processes.add({ pid: 2500, cgroups: [kernel.tree.directory(web)] });
  kernel.clock.after(20, () => process.exit(0));
  let calls = 0;
  assert.is(await remove(kernel, [web], async () => void calls++), undefined);
  assert.equal([calls, kernel.tree.at(web)], [0, undefined]);
});

test('removal calls the callback once for processes that do not exit by themselves', async () => {
  const kernel = host();
  const process = kernel.processes.add({ pid: 2500, cgroups: [kernel.tree.directory(web)] });
  let calls = 0;
  const stuck = async () => {
    calls++;
    kernel.clock.after(1000, () => process.exit(0));
  };
  assert.is(await remove(kernel, [web], stuck), undefined);
  assert.is(calls, 1);
});

test('a cgroup that stays busy for 5 s is an error that lists its processes', async () => {
  const kernel = host();
  for (let i = 0; i < 7; i++) kernel.processes.add({ pid: 2500 + i, cgroups: [kernel.tree.directory(web)] });
  const error = (await remove(kernel, [web])) as RuntError;
  assert.equal([error.code, error.errno], ['ERR_CGROUP_BUSY', E.EBUSY]);
  assert.match(error.hint ?? '', /^kill process 2500, 2501, 2502, 2503, 2504 and 2 more /);
  for (const { pid } of kernel.processes.list) if (pid >= 2500) kernel.processes.get(pid)?.exit(0);
  kernel.on('removeCgroup', () => -E.EBUSY);
  const held = (await remove(kernel, [web])) as RuntError;
  assert.match(held.hint ?? '', /^try again/);
});

test('a failed removal is reported after every other path was tried', async () => {
  const kernel = host();
  kernel.tree.directory(`${top}/other`);
  kernel.failAt('removeCgroup', 1, E.EPERM);
  const error = (await remove(kernel, [`${top}/other`, web])) as RuntError;
  assert.is(error.message, `remove cgroup ${top}/other: EPERM (operation not permitted)`);
  assert.is(kernel.tree.at(web), undefined);
});

test('pidsIn lists the cgroup and its children; plain, removed and threaded cgroups have no pids', () => {
  const kernel = host();
  kernel.processes.add({ pid: 2500, cgroups: [kernel.tree.directory(web)] });
  kernel.processes.add({ pid: 2501, cgroups: [kernel.tree.directory(`${web}/inner`)] });
  assert.equal([pidsIn(web, false), pidsIn(web, true)], [[2500], [2500, 2501]]);
  kernel.tree.file('/tmp/web/cgroup.procs', '1\n');
  assert.equal([pidsIn('/tmp/web', true), pidsIn(`${top}/none`, true)], [[], []]);
  for (const errno of [E.EOPNOTSUPP, E.ENODEV]) {
    kernel.failAt('readFile', 1, errno);
    assert.equal(pidsIn(web, false), []);
  }
  kernel.tree.file(`${web}/cgroup.procs`, '0\n2500\n0\n');
  assert.equal(pidsIn(web, false), [2500], 'processes of other pid namespaces are 0');
});

test('pidsIn throws for a list that cannot be read, instead of an empty result', () => {
  for (const call of ['statfsType', 'readFile', 'readDir'] as const) {
    const kernel = host();
    kernel.failAt(call, 1, E.EIO);
    assert.throws(() => pidsIn(web, true), /EIO/);
  }
});

test.run();
