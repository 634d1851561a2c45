/** The time limit of a foreground process. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndLimit } from '../../../src/container/stdio/end-limit.js';
import { native } from '../../../src/sys/host.js';
import { SIGKILL, SIGTERM } from '../../../src/sys/linux.js';
import { now } from '../../../src/sys/waiting/loop.js';
import { FakeContainer, told } from '../fake-container.js';

const test = suite('end limit');

test('the first time it sends TERM, the second time KILL, and then it waits for no more', async () => {
  const c = new FakeContainer({ status: 'running', layout: 'v1' });
  c.process!.onSignal = (signal) => signal === SIGTERM;
  c.freeze(c.cgroups[0]!);
  await c.run(() => {
    const pidfd = native.pidfdOpen(2500);
    const limit = new EndLimit(
      { timeout: 1000, stopTimeout: 500 },
      { what: 'run web', pid: 2500, pidfd, cgroups: c.cgroups },
    );
    limit.check();
    assert.is(limit.deadline - now(), 1000);
    limit.pass();
    assert.equal([c.process!.signals, limit.deadline - now()], [[SIGTERM], 500]);
    limit.pass();
    assert.equal([c.process!.signals, limit.deadline], [[SIGTERM, SIGKILL], Number.POSITIVE_INFINITY]);
    assert.throws(
      () => limit.check(),
      (error: never) => told(c, error) === 'ERR_TIMEOUT run web: it ran for longer than 1 s, and was ended',
    );
  });
});

test.run();
