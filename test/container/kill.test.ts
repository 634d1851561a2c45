/** `kill`: which processes get the signal, and which calls are errors. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { kill } from '../../src/container/kill.js';
import { recordProcess } from '../../src/container/state/recorded-process.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { SIGCONT, SIGKILL, SIGWINCH } from '../../src/sys/linux.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('kill');

const send = (c: FakeContainer, signal: number, all = false) => kill({ root: c.root, id: c.id, signal, all });

/** A running container with a second process in its cgroup. */
function pair(o: ConstructorParameters<typeof FakeContainer>[0] = {}) {
  const c = new FakeContainer({ status: 'running', ...o });
  return { c, init: c.process!, child: c.addProcess(2600) };
}

test('kill signals the first process only; kill --all signals every process', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const { c, init, child } = pair({ layout });
    await c.run(() => send(c, SIGWINCH));
    assert.equal([init.signals, child.signals], [[SIGWINCH], []]);
    await c.run(() => send(c, SIGCONT, true));
    assert.equal([init.signals, child.signals, c.kernel.open], [[SIGWINCH, SIGCONT], [SIGCONT], [c.root]]);
  }
});

test('kill signals a container whose create has ended since its record was read', async () => {
  const creator = { pid: 77, startTime: '5' };
  const c = new FakeContainer({ status: 'running', record: { status: 'creating', pid: 0, startTime: '', creator } });
  c.kernel.before('processStat', 1, () => {
    const { creator: _, ...record } = { ...c.record, status: 'created' as const, ...recordProcess(2500) };
    saveRecord(c.root, record);
  });
  await c.run(() => send(c, SIGWINCH));
  assert.equal(c.process!.signals, [SIGWINCH]);
});

test('KILL with --all reaches every process; without it, the pid namespace ends the others', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const all = pair({ layout });
    await all.c.run(() => send(all.c, SIGKILL, true));
    assert.equal([all.init.signals, all.child.signals], [[SIGKILL], [SIGKILL]]);
    const one = pair({ layout });
    await one.c.run(() => send(one.c, SIGKILL));
    assert.equal([one.init.signals, one.child.signals], [[SIGKILL], []]);
    const shared = pair({ layout, record: { pidNamespace: false } });
    await shared.c.run(() => send(shared.c, SIGKILL));
    assert.equal([shared.init.signals, shared.child.signals], [[SIGKILL], [SIGKILL]]);
  }
});

test('an error while one process is looked up again does not spare the others', async () => {
  const { c, init, child } = pair();
  const readFile = c.kernel.performs('readFile');
  // Two reads find out which processes to signal; the third one is the check of the first process.
  let reads = 0;
  c.kernel.on('readFile', (fd, path, out) =>
    path.endsWith('/cgroup.procs') && ++reads === 3 ? -E.EIO : readFile(fd, path, out),
  );
  const error = await c.failure(() => send(c, SIGWINCH, true));
  assert.is(error.errno, E.EIO);
  assert.equal([init.signals, child.signals], [[], [SIGWINCH]]);
});

test('KILL thaws a frozen container, other signals do not', async () => {
  const { c, init } = pair({ layout: 'v1' });
  c.freeze(c.cgroups[0]!);
  await c.run(() => send(c, SIGWINCH));
  assert.equal(init.signals, []);
  await c.run(() => send(c, SIGKILL));
  assert.equal(init.signals, [SIGWINCH, SIGKILL]);
});

test('kill of a stopped container is an error, except with --all', async () => {
  const c = new FakeContainer({ status: 'stopped' });
  const error = await c.failure(() => send(c, SIGKILL));
  assert.is(told(c, error), 'ERR_CONTAINER_STATUS container not running: web is stopped');
  await c.run(() => send(c, SIGKILL, true));
  const missing = await c.failure(() => kill({ root: c.root, id: 'none', signal: SIGKILL, all: true }));
  assert.is(missing.code, 'ERR_NO_CONTAINER');
});

test('without a pid namespace KILL also ends the processes that outlive the first one', async () => {
  const c = new FakeContainer({ status: 'stopped', record: { pidNamespace: false } });
  const child = c.addProcess(2600);
  const error = await c.failure(() => send(c, SIGWINCH));
  assert.is(error.code, 'ERR_CONTAINER_STATUS');
  await c.run(() => send(c, SIGKILL));
  assert.equal(child.signals, [SIGKILL]);
});

test('kill does not signal another process that has the pid of the container', async () => {
  const c = new FakeContainer({ status: 'stopped' });
  const unrelated = c.kernel.processes.add({ pid: 2500, startTime: '9999' });
  const error = await c.failure(() => send(c, SIGKILL));
  assert.equal([error.code, unrelated.signals], ['ERR_CONTAINER_STATUS', []]);
});

test('kill fails if the process ends between the status check and the signal', async () => {
  const c = new FakeContainer({ status: 'running' });
  c.kernel.before('pidfdSignal', 1, () => c.process?.exit(0));
  const error = await c.failure(() => send(c, SIGWINCH));
  assert.is(told(c, error), 'ERR_CONTAINER_STATUS container not running: web');
});

test('kill --all also signals a first process that was moved to another cgroup', async () => {
  const { c, init, child } = pair();
  const elsewhere = c.kernel.tree.directory('/sys/fs/cgroup/elsewhere');
  init.cgroups.set(elsewhere.fs, elsewhere);
  await c.run(() => send(c, SIGWINCH, true));
  assert.equal([init.signals, child.signals], [[SIGWINCH], [SIGWINCH]]);
});

test('kill --all without a cgroup signals the processes of the pid namespace', async () => {
  const c = new FakeContainer({ layout: 'none', status: 'running' });
  const child = c.kernel.processes.add({ pid: 2600 });
  const unrelated = c.kernel.processes.add({ pid: 2601 });
  for (const pid of [2500, 2600]) c.kernel.tree.symlink(`/proc/${pid}/ns/pid`, 'pid:[4026532000]');
  await c.run(() => send(c, SIGWINCH, true));
  assert.equal([c.process?.signals, child.signals, unrelated.signals], [[SIGWINCH], [SIGWINCH], []]);
});

test('kill --all reports a process that it may not signal, after it signalled the others', async () => {
  const { c, init, child } = pair();
  c.kernel.failAt('pidfdSignal', 1, E.EPERM);
  const error = await c.failure(() => send(c, SIGWINCH, true));
  assert.is(told(c, error), 'ERR_PROCESS send signal 28 to process 2500: EPERM (operation not permitted)');
  assert.equal([init.signals, child.signals], [[], [SIGWINCH]]);
});

test('if a seccomp filter denies pidfds, kill compares the start time and uses kill(2)', async () => {
  const { c, init, child } = pair();
  c.kernel.on('pidfdOpen', () => -E.ENOSYS);
  await c.run(() => send(c, SIGWINCH));
  await c.run(() => send(c, SIGCONT, true));
  assert.equal([init.signals, child.signals], [[SIGWINCH, SIGCONT], [SIGCONT]]);
  assert.equal(c.calls(/^pidfdSignal/), []);
});

test('a signal that the kernel refuses is an error that names the call', async () => {
  const c = new FakeContainer({ status: 'running' });
  c.kernel.failAt('pidfdSignal', 1, E.EINVAL);
  const error = await c.failure(() => send(c, 99));
  assert.is(told(c, error), 'ERR_PROCESS kill web: send signal 99 to process 2500: EINVAL (invalid argument)');
  assert.is(error.syscall, 'pidfd_send_signal');
});

for (const layout of ['v2', 'v1', 'none'] as const) {
  test(`${layout}: whichever call fails, kill fails or sends the signal, and leaks no descriptor`, async () => {
    for (const all of [false, true]) {
      const outcomes = await eachFailure(
        () => pair({ layout }).c,
        (c) => send(c, SIGKILL, all),
      );
      assert.ok(outcomes.length >= 6, `${outcomes.length} calls`);
      for (const { container: c, call, error, leftOpen } of outcomes) {
        assert.equal(leftOpen, [], call);
        if (error === undefined) assert.ok(c.process?.signals.includes(SIGKILL), call);
        else if (!(error instanceof RuntError)) throw error;
        else assert.not.match(error.code, /ERR_NO_CONTAINER|ERR_CONTAINER_STATUS/, call);
      }
    }
  });
}

test.run();
