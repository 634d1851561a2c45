/** `ps`: the processes of a container, and their lines in the output of the host's ps(1). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listPids, processTable } from '../../src/container/ps.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { SIGKILL } from '../../src/sys/linux.js';
import { unshare } from '../sys/fake-host/namespaces.js';
import type { FakeProcess } from '../sys/fake-host/processes.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('ps');

const list = (c: FakeContainer): number[] => {
  c.kernel.use();
  return listPids(c.options);
};

/** A container with two processes, and a ps(1) that prints these lines and exits with a status. */
function withPs(lines: readonly string[], status = 0): { c: FakeContainer; args: () => readonly string[] } {
  const c = new FakeContainer({ status: 'running' });
  c.addProcess(2600);
  let args: readonly string[] = [];
  c.kernel.tree.file('/bin/ps', '', 0o755);
  c.kernel.processes.programs.set('/bin/ps', (child) => {
    args = child.args;
    child.file(1)?.write(new TextEncoder().encode(lines.join('\n')));
    child.process.exit(status);
    return 0;
  });
  return { c, args: () => args };
}

test('pids lists the cgroups and those below, sorted, without repetition', () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = new FakeContainer({ layout, status: 'running' });
    const inner = c.cgroups.map((path) => c.kernel.tree.directory(`${path}/inner`));
    c.kernel.processes.add({ pid: 2700, cgroups: inner });
    c.addProcess(2600);
    assert.equal(list(c), [2500, 2600, 2700]);
  }
});

test('pids is empty for a stopped container, and an error for an unknown id', () => {
  const c = new FakeContainer({ status: 'stopped' });
  assert.equal(list(c), []);
  assert.throws(() => listPids({ root: c.root, id: 'none' }), /container does not exist: none/);
});

test('pids without a cgroup lists the pid namespace, or only the first process without a pid namespace', () => {
  const c = new FakeContainer({ layout: 'none', status: 'running' });
  const { processes, tree } = c.kernel;
  unshare(c.kernel, c.process!, 'pid');
  const child = processes.add({ pid: 2600 });
  processes.add({ pid: 2601 });
  const link = tree.at('/proc/2500/ns/pid')!;
  tree.link(tree.directory(`/proc/${child.pid}/ns`), 'pid', link);
  assert.equal(list(c), [2500, 2600]);
  const shared = new FakeContainer({ layout: 'none', status: 'running', record: { pidNamespace: false } });
  assert.equal(list(shared), [2500]);
  const stopped = new FakeContainer({ layout: 'none', status: 'stopped' });
  assert.equal(list(stopped), []);
});

test('a namespace that cannot be read is an error, not a missing process', () => {
  const c = new FakeContainer({ layout: 'none', status: 'running' });
  c.kernel.failAt('readLink', 1, E.EIO);
  assert.throws(() => list(c), /read the pid namespace of process 2500.*EIO/);
});

test("a pid of another pid namespace is an error while the container's cgroups exist", () => {
  const c = new FakeContainer({ status: 'stopped', record: { pidsIn: 'pid:[4026530000]' } });
  assert.throws(
    () => list(c),
    /it belongs to the pid namespace pid:\[4026530000\], and runt runs in pid:\[4026531836\]/,
  );
  c.kernel.tree.directory('/sys/fs/cgroup').entries?.delete('web');
  assert.equal(list(c), []);
});

test('the table has the header and the lines of the container, in the order of ps', async () => {
  const { c, args } = withPs([
    'UID          PID    PPID CMD',
    'root           1       0 /sbin/init',
    'root        2600    2500 worker',
    'root        2500    1000 sleep 2600',
    'root        3000    2500 sleep 2500',
  ]);
  const text = await c.run(() => processTable(c.options, []));
  assert.is(
    text,
    'UID          PID    PPID CMD\nroot        2600    2500 worker\nroot        2500    1000 sleep 2600\n',
  );
  assert.equal([args(), c.kernel.open], [['/bin/ps', '-ef'], [c.root]]);
});

test("the table passes the caller's options to ps, and a column before PID may contain spaces", async () => {
  const { c, args } = withPs(['COMMAND         PID', 'a b c          2500', 'a 2600 c       2499']);
  const text = await c.run(() => processTable(c.options, ['-o', 'comm,pid']));
  assert.is(text, 'COMMAND         PID\na b c          2500\n');
  assert.equal(args(), ['/bin/ps', '-o', 'comm,pid']);
});

test('ps without a PID column, a failing ps and a host without ps are errors', async () => {
  const noColumn = withPs(['CMD', 'sleep']).c;
  const failing = withPs(['error: bad option'], 1).c;
  const none = new FakeContainer({ status: 'running' });
  const errors: string[] = [];
  for (const c of [noColumn, failing, none]) {
    errors.push(told(c, await c.failure(() => processTable(c.options, ['-x']))));
    assert.equal(c.kernel.open, [c.root]);
  }
  assert.equal(errors, [
    'ERR_PS ps web: the output of ps has no column PID, which shows the processes of the container',
    'ERR_PS /bin/ps ended with status 1: error: bad option',
    'ERR_PS find the program ps: ENOENT (no such file or directory)',
  ]);
});

test('a ps that does not end, or prints without end, is killed', async () => {
  const endless = new TextEncoder().encode('2500 sleep\n'.repeat(4096));
  const errors: string[] = [];
  for (const print of [false, true]) {
    const { c } = withPs([]);
    let ps: FakeProcess | undefined;
    c.kernel.processes.programs.set('/bin/ps', (child) => {
      ps = child.process;
      const more = (): void => {
        if (ps?.end) return;
        child.file(1)?.write(endless);
        c.kernel.clock.after(1, more);
      };
      if (print) more();
      return 0;
    });
    errors.push(told(c, await c.failure(() => processTable(c.options, []))));
    assert.is(ps?.end?.status, SIGKILL);
    assert.equal(c.kernel.open, [c.root]);
  }
  const run = 'ERR_PS run /bin/ps -ef: it';
  assert.equal(errors, [`${run} did not end within 30 seconds`, `${run} printed more than 64 MiB`]);
});

test('a read that fails in the middle of the output is an error, not a shorter table', async () => {
  const { c } = withPs(['  PID CMD', ' 2500 sleep']);
  // Two reads of the record, then the text of ps.
  c.kernel.failAt('read', 4, E.EIO);
  const error = await c.failure(() => processTable(c.options, []));
  assert.is(told(c, error), 'ERR_PS read the output of /bin/ps: EIO (input/output error)');
});

test('whichever call fails, ps leaves out no process and leaks no descriptor', async () => {
  const lines = ['  PID CMD', ' 2500 sleep', ' 2600 worker'];
  const texts = new Map<FakeContainer, string>();
  const outcomes = await eachFailure(
    () => withPs(lines).c,
    async (c) => void texts.set(c, await processTable(c.options, [])),
  );
  assert.ok(outcomes.length >= 12, `${outcomes.length} calls`);
  for (const { container, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error === undefined) assert.is(texts.get(container), `${lines.join('\n')}\n`, call);
    else if (!(error instanceof RuntError)) throw error;
  }
});

test.run();
