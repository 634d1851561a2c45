/** `stop` and the waits of `kill` and `delete`: what a fake kernel shows of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AwaitedEnd, awaitStop, stop } from '../../src/container/stop.js';
import { wait } from '../../src/container/wait.js';
import { SIGKILL, SIGTERM } from '../../src/sys/linux.js';
import { FakeContainer, told } from './fake-container.js';

const test = suite('stop');

const supervisor = { pid: 2400, startTime: '3400' };

test('stop sends TERM, and KILL when the time has passed', async () => {
  const c = new FakeContainer({ status: 'running' });
  const { now } = c.kernel.clock;
  c.process!.onSignal = (signal) => signal === SIGTERM;
  await c.run(() => stop({ ...c.options, timeout: 4000 }));
  assert.equal(c.process!.signals, [SIGTERM, SIGKILL]);
  assert.ok(c.kernel.clock.now - now >= 4000);
  assert.equal(c.kernel.open, [c.root]);
});

test('stop of a stopped container does nothing; of one that is being created it is refused', async () => {
  const stopped = new FakeContainer({ status: 'stopped' });
  await stopped.run(() => stop(stopped.options));
  const c = new FakeContainer({ status: 'creating' });
  const error = await c.failure(() => stop(c.options));
  assert.is(told(c, error), 'ERR_CONTAINER_STATUS stop web: the container is being created');
});

test('delete waits for a running container, and for no other', async () => {
  for (const [status, time] of [
    ['running', 5000],
    ['created', 0],
    ['stopped', 0],
  ] as const) {
    const c = new FakeContainer({ status });
    const { now } = c.kernel.clock;
    c.kernel.clock.after(5000, () => c.process?.exit(0));
    await c.run(() => awaitStop(c.root, c.id));
    assert.is(c.kernel.clock.now - now, time, status);
    assert.equal(c.kernel.open, [c.root]);
  }
  const c = new FakeContainer();
  await c.run(() => awaitStop(c.root, 'other'));
});

test('a wait ends when its time has passed, and closes its descriptors', async () => {
  const c = new FakeContainer({ status: 'running', record: { supervisor } });
  c.kernel.processes.add({ pid: 2400, name: 'runt-init' });
  const error = await c.failure(() => wait({ ...c.options, timeout: 5000 }));
  assert.is(told(c, error), 'ERR_TIMEOUT wait web: the container has not ended within 5 s');
  assert.is(error.exit, 124);
  const end = new AwaitedEnd(c.root, c.record);
  assert.is(await c.run(() => end.wait(100)), false);
  end.close();
  assert.equal(c.kernel.open, [c.root]);
});

test.run();
