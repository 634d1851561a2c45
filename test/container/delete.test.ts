/** `delete`: which containers it removes, which processes it ends, and what a failed call leaves for the next one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { remove } from '../../src/container/delete.js';
import { recordProcess } from '../../src/container/state/recorded-process.js';
import { removeStateDir } from '../../src/container/state/state-store.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import { E } from '../../src/sys/errno.js';
import type { RuntError } from '../../src/sys/error.js';
import { SIGKILL } from '../../src/sys/linux.js';
import { FakeContainer, told } from './fake-container.js';

const test = suite('delete');

const del = (c: FakeContainer, force = false) => remove({ ...c.options, force });
const outcomeOf = async (c: FakeContainer, force = false): Promise<string> =>
  c
    .run(() => del(c, force))
    .then(
      () => 'removed',
      (error: RuntError) => told(c, error),
    );

test('delete removes a stopped or created container, and refuses a running or creating one', async () => {
  const outcomes: string[] = [];
  for (const status of ['stopped', 'created', 'running', 'creating'] as const) {
    const c = new FakeContainer({ status });
    outcomes.push(`${status}: ${await outcomeOf(c)}`);
    if (status === 'stopped' || status === 'created') assert.equal(c.left, [], status);
    else assert.equal(c.left, ['/sys/fs/cgroup/web', '~/web', 'process 2500'], status);
    assert.equal(c.kernel.open, [c.root]);
  }
  assert.equal(outcomes, [
    'stopped: removed',
    'created: removed',
    'running: ERR_CONTAINER_STATUS cannot delete container web that is not stopped: running',
    'creating: ERR_CONTAINER_STATUS cannot delete container web that is not stopped: creating',
  ]);
});

/** A container without a process whose create, in process 77, goes on. */
function beingCreated(): FakeContainer {
  const creator = { pid: 77, startTime: '5' };
  const c = new FakeContainer({ status: 'creating', record: { pid: 0, startTime: '', creator } });
  c.process?.signal(SIGKILL);
  c.kernel.processes.add({ ...creator, name: 'runt' });
  return c;
}

test('delete refuses a container whose create has made no process yet', async () => {
  const c = beingCreated();
  assert.match(await outcomeOf(c), 'ERR_CONTAINER_STATUS cannot delete container web that is not stopped: creating');
});

test('delete refuses a container that runs since its create, seen before, has ended', async () => {
  const creator = { pid: 77, startTime: '5' };
  for (const look of [1, 2]) {
    const c = new FakeContainer({ status: 'running', record: { status: 'creating', pid: 0, startTime: '', creator } });
    const create = c.kernel.processes.add({ ...creator, name: 'runt' });
    c.kernel.before('processStat', look, () => {
      const { creator: _, ...record } = { ...c.record, status: 'created' as const, ...recordProcess(2500) };
      saveRecord(c.root, record);
      create.exit(0);
    });
    const status = look === 1 ? 'running' : 'creating';
    assert.is(
      await outcomeOf(c),
      `ERR_CONTAINER_STATUS cannot delete container web that is not stopped: ${status}`,
      `at look ${look}`,
    );
    assert.equal(c.process!.signals, []);
  }
});

test('delete --force waits for the end of a create, and goes on without it after 2 s', async () => {
  const ended = beingCreated();
  ended.kernel.clock.after(500, () => saveRecord(ended.root, { ...ended.record, status: 'created' }));
  const from = ended.kernel.clock.now;
  assert.is(await outcomeOf(ended, true), 'removed');
  assert.ok(ended.kernel.clock.now - from < 1000);
  const undone = beingCreated();
  undone.kernel.clock.after(500, () => removeStateDir(undone.root, 'web'));
  assert.is(await outcomeOf(undone, true), 'removed');
  assert.is(await outcomeOf(beingCreated(), true), 'removed');
});

test('delete --force kills and removes a container in any status, on both versions of cgroups', async () => {
  for (const layout of ['v2', 'v1', 'none'] as const) {
    for (const status of ['stopped', 'created', 'running', 'creating'] as const) {
      const c = new FakeContainer({ layout, status });
      assert.is(await outcomeOf(c, true), 'removed', `${layout} ${status}`);
      assert.equal([c.left, c.kernel.open], [[], [c.root]], `${layout} ${status}`);
      assert.equal(c.process?.signals ?? [SIGKILL], [SIGKILL]);
    }
  }
});

test('delete refuses a paused container; delete --force thaws it so that it can end', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = new FakeContainer({ layout, status: 'running' });
    c.freeze(c.cgroups[0]!);
    assert.is(await outcomeOf(c), 'ERR_CONTAINER_STATUS cannot delete container web that is not stopped: paused');
    assert.is(await outcomeOf(c, true), 'removed');
    assert.equal(c.left, []);
  }
});

test('delete waits at most 10 s for a process that was killed or exits, and then removes the container', async () => {
  const signalled = 0x400;
  const exiting = 0x4;
  for (const flags of [signalled, exiting]) {
    const c = new FakeContainer({ status: 'running' });
    c.process!.flags = flags;
    c.kernel.clock.after(9000, () => c.process!.exit(0));
    assert.is(await outcomeOf(c), 'removed');
    assert.equal([c.left, c.kernel.open, c.process!.signals], [[], [c.root], []]);
  }
  const stuck = new FakeContainer({ status: 'running' });
  stuck.process!.flags = exiting;
  const began = stuck.kernel.clock.now;
  assert.is(await outcomeOf(stuck), 'ERR_CONTAINER_STATUS cannot delete container web that is not stopped: running');
  assert.is(stuck.kernel.clock.now - began, 10_000);
});

test('a container whose first thread exited alone runs: delete refuses at once, and --force kills it', async () => {
  const c = new FakeContainer({ status: 'running' });
  Object.assign(c.process!, { state: 'Z', threads: 2, flags: 0x4 });
  const began = c.kernel.clock.now;
  assert.is(await outcomeOf(c), 'ERR_CONTAINER_STATUS cannot delete container web that is not stopped: running');
  assert.equal([c.kernel.clock.now, c.process!.signals], [began, []]);
  assert.is(await outcomeOf(c, true), 'removed');
  assert.equal([c.left, c.process!.signals], [[], [SIGKILL]]);
});

test('delete refuses at once if a frozen cgroup of v1 holds the killed process', async () => {
  const c = new FakeContainer({ layout: 'v1', status: 'running' });
  c.freeze(c.cgroups[0]!);
  c.process!.signal(SIGKILL);
  const began = c.kernel.clock.now;
  assert.is(await outcomeOf(c), 'ERR_CONTAINER_STATUS cannot delete container web that is not stopped: paused');
  assert.equal([c.kernel.clock.now, c.kernel.open], [began, [c.root]]);
});

test('delete takes the lock, sends the signal, awaits the end, then removes the cgroup and the state', async () => {
  const c = new FakeContainer({ status: 'running' });
  await c.run(() => del(c, true));
  assert.equal(
    c
      .calls(/^(flock|pidfdSignal|writeFile|ready|removeCgroup|unlinkAt.*(state.json|web, 0x200))/)
      .map((call) => call.replace(/ = .*/, '')),
    [
      'flock(<~/web>, 6)',
      'pidfdSignal(<pidfd 2500>, 9)',
      'writeFile(AT_FDCWD, /sys/fs/cgroup/web/cgroup.freeze, 0x0, 0o0, 1 bytes)',
      'ready(256 bytes, 10000)',
      'removeCgroup(/sys/fs/cgroup/web)',
      'flock(<~/web>, 6)',
      'unlinkAt(<~/web>, state.json, 0x0)',
      'unlinkAt(<~>, web, 0x200)',
    ],
  );
});

test('delete of an unknown id is an error, except with --force', async () => {
  const c = new FakeContainer();
  const none = (force: boolean) => c.run(() => remove({ root: c.root, id: 'none', force })).catch((e) => told(c, e));
  assert.is(await none(false), 'ERR_NO_CONTAINER container does not exist: none');
  assert.is(await none(true), undefined);
  const noRoot = c.run(() => remove({ root: `${c.root}-none`, id: 'web', force: true }));
  assert.is(await noRoot, undefined);
  const bad = await c.failure(() => remove({ root: c.root, id: '../web', force: true }));
  assert.is(bad.code, 'ERR_CONTAINER_ID');
});

test('a concurrent delete waits for the lock, and then finds no container', async () => {
  const c = new FakeContainer({ status: 'stopped' });
  const outcomes = await c.run(() =>
    Promise.all([del(c), del(c).catch((error: RuntError) => error.code), del(c, true)]),
  );
  assert.equal(outcomes, [undefined, 'ERR_NO_CONTAINER', undefined]);
  assert.equal([c.left, c.kernel.open], [[], [c.root]]);
});

test('delete does not kill another process that has the pid of the container', async () => {
  const c = new FakeContainer({ status: 'stopped' });
  const unrelated = c.kernel.processes.add({ pid: 2500, startTime: '9999' });
  await c.run(() => del(c, true));
  assert.equal([unrelated.signals, c.left], [[], ['process 2500']]);
});

test('without a pid namespace delete kills every process in the cgroup', async () => {
  const c = new FakeContainer({ status: 'stopped', record: { pidNamespace: false } });
  const child = c.addProcess(2600);
  await c.run(() => del(c));
  assert.equal([child.signals, c.left], [[SIGKILL], []]);
});

test('with a pid namespace, only delete --force kills other processes in the cgroup', async () => {
  const c = new FakeContainer({ status: 'stopped' });
  const unrelated = c.addProcess(2600);
  const error = await c.failure(() => del(c));
  assert.is(told(c, error), 'ERR_CGROUP_BUSY remove cgroup /sys/fs/cgroup/web: EBUSY (device or resource busy)');
  assert.equal(unrelated.signals, []);
  await c.run(() => del(c, true));
  assert.equal([unrelated.signals, c.left], [[SIGKILL], []]);
});

test('delete does not kill the processes of a cgroup that holds this command or another container', async () => {
  const c = new FakeContainer({ status: 'running', record: { pidNamespace: false } });
  c.addContainer('inner', { cgroups: ['/sys/fs/cgroup/web/inner'] });
  const inner = await c.failure(() => del(c, true));
  assert.is(
    told(c, inner),
    'ERR_CGROUP_BUSY delete web: kill the processes in its cgroup /sys/fs/cgroup/web: the container inner is in it or below',
  );
  const own = new FakeContainer({ status: 'running', record: { pidNamespace: false } });
  own.kernel.processes.own.cgroups.set(
    own.kernel.tree.directory('/sys/fs/cgroup').fs,
    own.kernel.tree.directory('/sys/fs/cgroup/web/runt'),
  );
  const error = await own.failure(() => del(own, true));
  assert.match(error.message, /web: this command runs in it too$/);
  for (const each of [c, own]) assert.equal(each.process?.signals, []);
});

test('a process that does not end within 10 s is an error, and its cgroup and state stay', async () => {
  const c = new FakeContainer({ status: 'running' });
  c.kernel.on('pidfdSignal', () => 0);
  const began = c.kernel.clock.now;
  const error = await c.failure(() => del(c, true));
  assert.is(told(c, error), 'ERR_PROCESS delete web: its process 2500 was killed and does not end');
  const waited = c.kernel.clock.now - began;
  assert.ok(waited >= 10_000 && waited < 11_000, `${waited} ms`);
  assert.equal([c.left, c.kernel.open], [['/sys/fs/cgroup/web', '~/web', 'process 2500'], [c.root]]);
});

test('on v1 a process below a frozen cgroup is an error at once, which names the cgroup', async () => {
  const c = new FakeContainer({ layout: 'v1', status: 'running' });
  const { tree, processes } = c.kernel;
  // The files that the kernel shows in a cgroup below a frozen one.
  const above = '/sys/fs/cgroup/freezer/above';
  const inner = tree.directory(`${above}/web`);
  tree.file(`${above}/freezer.self_freezing`, '1\n');
  processes.get(2500)?.cgroups.set(inner.fs, inner);
  tree.file(`${c.directory}/state.json`, JSON.stringify({ ...c.record, cgroups: [`${above}/web`] }));
  c.freeze(above);
  const began = c.kernel.clock.now;
  const error = await c.failure(() => del(c, true));
  assert.is(c.kernel.clock.now, began);
  assert.is(
    told(c, error),
    'ERR_CGROUP delete web: its process 2500 was killed, and is frozen by the cgroup /sys/fs/cgroup/freezer/above: /sys/fs/cgroup/freezer/above/web',
  );
  assert.is(error.hint, 'thaw it: echo THAWED > /sys/fs/cgroup/freezer/above/freezer.state');
});

test('the supervisor of a process that does not end survives, and records the exit after the thaw', async () => {
  const c = new FakeContainer({ status: 'running', record: { supervisor: { pid: 2400, startTime: '3400' } } });
  const supervisor = c.kernel.processes.add({ pid: 2400, name: 'runt-init' });
  // The first process ignores the first signal, like a process that hangs in the kernel.
  const pidfdSignal = c.kernel.performs('pidfdSignal');
  let signals = 0;
  c.kernel.on('pidfdSignal', (pidfd, number) => (signals++ === 0 ? 0 : pidfdSignal(pidfd, number)));
  const error = await c.failure(() => del(c, true));
  assert.is(told(c, error), 'ERR_PROCESS delete web: its process 2500 was killed and does not end');
  assert.equal([supervisor.end, supervisor.signals, c.left.includes('~/web')], [undefined, [], true]);
});

test('if a seccomp filter denies pidfds, the process is killed by its pid, or with its cgroup', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = new FakeContainer({ layout, status: 'running' });
    c.kernel.on('pidfdOpen', () => -E.ENOSYS);
    assert.is(await outcomeOf(c, true), 'removed', layout);
    assert.equal(c.left, []);
  }
});

test('delete refuses an unmounted hierarchy before it kills anything, because the cgroup may hold processes', async () => {
  for (const status of ['running', 'stopped'] as const) {
    const c = new FakeContainer({ status });
    c.kernel.tree.unmount(c.kernel.tree.at('/sys/fs/cgroup')!);
    const error = await c.failure(() => del(c, true));
    assert.is(
      told(c, error),
      'ERR_CGROUP look for the cgroup /sys/fs/cgroup/web: no cgroup hierarchy is mounted at /sys/fs/cgroup',
    );
    assert.equal([c.process?.signals ?? [], c.left.includes('~/web')], [[], true]);
  }
});

test('poststop hooks run after the state is removed, with the state on their standard input', async () => {
  const c = new FakeContainer({ status: 'stopped', record: { hooks: { poststop: [{ path: '/hook' }] } } });
  let input = '';
  c.kernel.processes.programs.set('/hook', ({ process, file, directory }) => {
    const data = new Uint8Array(1000);
    input = new TextDecoder().decode(data.subarray(0, file(0)!.read(data)));
    assert.equal([c.left, directory], [[], '/b']);
    c.kernel.clock.after(10, () => process.exit(0));
    return 0;
  });
  await c.run(() => del(c));
  assert.equal(JSON.parse(input), { ociVersion: '1.2.0', id: 'web', status: 'stopped', bundle: '/b' });
  assert.equal([c.warnings, c.kernel.tree.list(`${c.root}/.deleted`), c.kernel.open], [[], [], [c.root]]);
});

test('the next delete runs the poststop hooks that a killed delete left', async () => {
  const c = new FakeContainer({ status: 'stopped', record: { hooks: { poststop: [{ path: '/hook' }] } } });
  let runs = 0;
  c.kernel.processes.programs.set('/hook', ({ process }) => {
    runs++;
    process.exit(0);
    return 0;
  });
  c.kernel.tree.file(`${c.root}/.deleted/web/state.json`, JSON.stringify(c.record));
  c.kernel.tree.directory(`${c.root}/.deleted`).mode = 0o40700;
  // The first delete was killed after it removed the state.
  c.kernel.tree.directory(c.root).entries?.delete('web');
  await c.run(() => del(c));
  assert.is(runs, 1);
  assert.is(await outcomeOf(c), 'ERR_NO_CONTAINER container does not exist: web');
});

test.run();
