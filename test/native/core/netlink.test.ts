/** The netlink socket of native/core/sockets/netlink.c. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const test = suite('netlink');

test("netlinkOpen uses the thread's network namespace for -1 only, and for no errno", () => {
  const own = native.netlinkOpen(-1);
  assert.ok(own >= 0, `${own}`);
  native.close(own);
  for (const namespace of [-2, -E.EACCES, -0x80000000]) assert.is(native.netlinkOpen(namespace), -E.EBADF);
});

test.run();
