/** Faults that were findings of `make faults`: a call that fails, or a process that is killed at it. */
import * as assert from 'uvu/assert';
import { pointsNamed, Trials } from '../faults/trial.js';
import { needing } from '../integration/bed/bed.js';

const test = needing('faults', 'root', 'programs', 'at-speed', 'linux-5.9');

const found: Readonly<Record<string, readonly string[]>> = {
  'an EINVAL does not end the drops of the bounding set too early': ['create:init:prctl:*:EINVAL'],
  'a process that waits for start and cannot be marked is not created': ['create:init:prctl:0:EPERM'],
  'a container waits for start while it cannot accept a connection': ['create+supervisor:init:accept4:0:ENOMEM'],
  'an interrupted wait for a hook or a child is repeated': [
    'run+hooks:init:waitid:*:EINTR',
    'delete+supervisor:supervisor:waitid:*:EINTR',
  ],
  'a pause that fails thaws the container': ['pause:runt:openat:*:EACCES', 'pause:runt:read:*:EIO'],
  'run ends a process for which it cannot wait': ['run:runt:epoll_ctl:*:EPERM', 'exec:runt:epoll_ctl:*:EPERM'],
  'a waiter that cannot wait ends the process, with a message': [
    'run-wait:init:read:*:EIO',
    'run-wait:init:poll:*:ENOMEM',
    'exec-wait:init:read:*:EIO',
    'exec-wait:init:signalfd4:*:EMFILE',
  ],
  'an error tells that runt cannot allocate memory': [
    'create:runt:mmap:*:ENOMEM',
    'exec:runt:mmap:*:ENOMEM',
    'update:runt:mmap:*:ENOMEM',
  ],
};

for (const [name, points] of Object.entries(found)) {
  test(name, () => {
    const trials = new Trials();
    try {
      const results = points.flatMap(pointsNamed).map((point) => trials.attempt(point));
      assert.equal(
        results.filter((result) => typeof result === 'string'),
        [],
      );
      assert.ok(results.includes(true), 'no point was reached');
    } finally {
      trials.end();
    }
  });
}

test.run();
