/** `wait`: the exit status from the supervisor's records, or from the process itself. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { wait, waitForExec } from '../../src/container/wait.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { SIGKILL } from '../../src/sys/linux.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('wait');

const supervisor = { pid: 2400, startTime: '3400' };
const exit = { pid: 2500, status: 3, signal: 0, exitedAtNs: '1700000000123456789', oom: false };
const execEnded = {
  pid: 2500,
  status: 3,
  signal: 0,
  reason: 'exited',
  exitedAt: '2023-11-14T22:13:20.123456789Z',
  oom: false,
};
const ended = { ...execEnded, createdAt: '2026-01-01T00:00:00Z' };

/** A supervised, running container; its supervisor lives unless it is `dead`. */
function supervised(o: { stopped?: boolean; dead?: boolean } = {}): FakeContainer {
  const c = new FakeContainer({ status: o.stopped ? 'stopped' : 'running', record: { supervisor } });
  if (!o.dead) c.kernel.processes.add({ pid: 2400, name: 'runt-init' });
  return c;
}

const write = (c: FakeContainer, name: string, value: object | string): void =>
  void c.kernel.tree.file(`${c.directory}/${name}`, typeof value === 'string' ? value : JSON.stringify(value));

test('wait refuses a container without a supervisor, whose exit status is not recorded', async () => {
  const c = new FakeContainer({ status: 'running' });
  const error = await c.failure(() => wait(c.options));
  assert.is(
    told(c, error),
    'ERR_NOT_SUPERVISED wait web: the container has no supervisor, so its exit status is not recorded',
  );
});

test('wait returns the record of a stopped container at once', async () => {
  const c = supervised({ stopped: true, dead: true });
  write(c, 'exit.json', exit);
  const began = c.kernel.clock.now;
  assert.equal(await c.run(() => wait(c.options)), ended);
  assert.equal([c.kernel.clock.now, c.kernel.open], [began, [c.root]]);
  assert.equal(await c.run(() => wait(c.options)), ended, 'the record of the container stays');
});

test('wait for a running container returns once the supervisor has written the record', async () => {
  const c = supervised();
  c.kernel.clock.after(60_000, () => c.process?.exit(3));
  c.kernel.clock.after(60_030, () => write(c, 'exit.json', exit));
  assert.equal(await c.run(() => wait(c.options)), ended);
  assert.equal(c.kernel.open, [c.root]);
});

test('the record says whether the container was killed by a signal, or by the OOM killer', async () => {
  const c = supervised({ stopped: true });
  write(c, 'exit.json', { ...exit, status: 137, signal: 9, oom: true });
  assert.equal(await c.run(() => wait(c.options)), { ...ended, status: 137, signal: 9, reason: 'oom', oom: true });
});

test('without a record and a supervisor the status is lost, and none is invented', async () => {
  const c = supervised({ stopped: true, dead: true });
  const error = await c.failure(() => wait(c.options));
  assert.is(
    told(c, error),
    'ERR_STATUS_LOST wait web: the exit status of the container is lost: its supervisor ended first',
  );
  assert.equal(c.kernel.open, [c.root]);
});

test('if the supervisor was killed too, wait reads the status from the kernel and records it', async () => {
  const c = supervised();
  c.kernel.processes.tellsEnd = true;
  c.kernel.clock.after(1000, () => {
    c.kernel.processes.get(2400)?.signal(SIGKILL);
    c.process?.signal(SIGKILL);
  });
  const record = await c.run(() => wait(c.options));
  assert.equal([record.status, record.signal], [137, 9]);
  assert.is(JSON.parse(c.kernel.tree.text(`${c.directory}/exit.json`)).status, 137);
  assert.equal(await c.run(() => wait(c.options)), record, 'a second wait reads the record of the first');
});

test('if the supervisor was killed too, and the kernel cannot tell, the status is lost', async () => {
  const c = supervised();
  c.kernel.clock.after(1000, () => {
    c.kernel.processes.get(2400)?.signal(SIGKILL);
    c.process?.exit(0);
  });
  const error = await c.failure(() => wait(c.options));
  assert.equal(
    [error.code, c.kernel.tree.list(c.directory), c.kernel.open],
    ['ERR_STATUS_LOST', ['state.json'], [c.root]],
  );
});

test('a damaged record is an error that names it', async () => {
  for (const text of ['{', '[]', '{"pid":2500}', JSON.stringify({ ...exit, exitedAtNs: 'soon' })]) {
    const c = supervised({ stopped: true });
    write(c, 'exit.json', text);
    const error = await c.failure(() => wait(c.options));
    assert.is(told(c, error), 'ERR_STATE_CORRUPT read the exit status of a process: ~/web/exit.json is damaged');
  }
});

test('wait for an exec returns the last one with that pid, and removes its record', async () => {
  const c = supervised();
  write(c, 'exec-77-100.json', { ...exit, pid: 77, status: 1 });
  write(c, 'exec-77-200.json', { ...exit, pid: 77, status: 2 });
  const statuses = [];
  for (let i = 0; i < 2; i++) statuses.push((await c.run(() => wait({ ...c.options, pid: 77 }))).status);
  assert.equal(statuses, [2, 1]);
  const error = await c.failure(() => wait({ ...c.options, pid: 77 }));
  assert.is(told(c, error), 'ERR_STATUS_LOST wait web: no exec with pid 77 is recorded');
});

test('wait for a running exec returns once it has ended', async () => {
  const c = supervised();
  const process = c.addProcess(2600);
  write(c, 'exec-2600-100.json', { running: true, pid: 2600, startTime: process.startTime });
  c.kernel.clock.after(5000, () => {
    process.exit(7);
    write(c, 'exec-2600-100.json', { ...exit, pid: 2600, status: 7 });
  });
  assert.is((await c.run(() => wait({ ...c.options, pid: 2600 }))).status, 7);
  assert.equal(c.kernel.tree.list(c.directory), ['state.json']);
});

test('wait refuses an ended exec whose pid another process of the container now has', async () => {
  const c = supervised();
  c.addProcess(2600);
  write(c, 'exec-2600-100.json', { ...exit, pid: 2600 });
  const error = await c.failure(() => wait({ ...c.options, pid: 2600 }));
  assert.match(error.message, /the exec with pid 2600 has ended, and another process of the container has its pid now/);
  assert.ok(c.kernel.tree.at(`${c.directory}/exec-2600-100.json`), 'its record stays');
});

test('the status of an exec that a supervisor adopted, but did not see end, is lost', async () => {
  const c = supervised();
  write(c, 'exec-77-100.json', { lost: true, pid: 77 });
  const error = await c.failure(() => wait({ ...c.options, pid: 77 }));
  assert.match(told(c, error), /^ERR_STATUS_LOST wait web: the exit status of process 77 is lost/);
});

test('waitForExec returns the status of the exec and closes its pidfd', async () => {
  const c = supervised();
  const process = c.addProcess(2600);
  const executed = { pid: 2600, registeredAt: '100' };
  write(c, 'exec-2600-100.json', { running: true, pid: 2600, startTime: process.startTime });
  c.kernel.clock.after(50, () => {
    write(c, 'exec-2600-100.json', { ...exit, pid: 2600, status: 9 });
    process.exit(9);
  });
  const pidfd = c.kernel.processes.openPidfd(process);
  const record = await c.run(() => waitForExec(c.options, executed, pidfd));
  assert.equal([record.status, c.kernel.open], [9, [c.root]]);
});

test('if a seccomp filter denies pidfds, wait detects the end by the start time', async () => {
  const c = supervised();
  c.kernel.on('pidfdOpen', () => -E.ENOSYS);
  c.kernel.clock.after(2000, () => {
    c.process?.exit(3);
    write(c, 'exit.json', exit);
  });
  assert.equal(await c.run(() => wait(c.options)), ended);
});

test('whichever call fails, wait fails or returns the true status, and leaks no descriptor', async () => {
  const make = () => {
    const c = supervised();
    c.kernel.clock.after(40, () => {
      c.process?.exit(3);
      write(c, 'exit.json', exit);
      c.kernel.processes.get(2400)?.exit(0);
    });
    return c;
  };
  const statuses = new Map<FakeContainer, number>();
  const outcomes = await eachFailure(make, async (c) => void statuses.set(c, (await wait(c.options)).status));
  assert.ok(outcomes.length >= 10, `${outcomes.length} calls`);
  for (const { container, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error === undefined) assert.is(statuses.get(container), 3, call);
    else if (!(error instanceof RuntError)) throw error;
  }
});

test.run();
