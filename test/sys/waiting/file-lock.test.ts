/** flock(2) with a deadline. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { AT_FDCWD } from '../../../src/sys/linux.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { lock } from '../../../src/sys/waiting/file-lock.js';

useNodeHost([]);

test('the wait for a lock ends at the deadline, or when the lock is free', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-lock-'));
  const [first, second] = [native.openAt(AT_FDCWD, dir, 0, 0), native.openAt(AT_FDCWD, dir, 0, 0)];
  try {
    assert.is(await lock(first, 0), 0);
    const begin = Date.now();
    assert.is(await lock(second, 100), -E.EAGAIN);
    // Both clocks count whole milliseconds.
    assert.ok(Date.now() - begin >= 99);
    const waiting = lock(second, -1);
    native.close(first);
    assert.is(await waiting, 0);
  } finally {
    native.close(second);
    rmSync(dir, { recursive: true });
  }
});

test('a descriptor that cannot be locked is an error without a wait', async () => {
  assert.is(await lock(-1, -1), -E.EBADF);
});

test.run();
