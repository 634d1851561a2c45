/** The end of a server without clients. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IdleTimer } from '../../src/shim/idle-end.js';
import { sleep } from '../../src/sys/waiting/loop.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

test('without a client the end is tried at each interval until it succeeds, and not after that', async () => {
  const kernel = new FakeKernel();
  const asked: number[] = [];
  const begin = kernel.clock.now;
  new IdleTimer(20, async () => asked.push(kernel.clock.now - begin) === 3);
  // The clock is the fake kernel's: no time passes.
  await kernel.finish(sleep(300));
  assert.equal(asked, [20, 40, 60]);
});

test('the end is not tried while a client is connected, and the interval starts again after the last one', async () => {
  const kernel = new FakeKernel();
  const begin = kernel.clock.now;
  const asked: number[] = [];
  const idleness = new IdleTimer(1000, async () => asked.push(kernel.clock.now - begin) > 0);
  const [first, second] = [idleness.addClient(), idleness.addClient()];
  kernel.clock.after(1500, first);
  kernel.clock.after(2300, second);
  // A client that only checks whether the server runs: a `start`.
  kernel.clock.after(2600, () => idleness.addClient()());
  // The clock is the fake kernel's: no time passes.
  await kernel.finish(sleep(5000));
  assert.equal(asked, [3600]);
});

test.run();
