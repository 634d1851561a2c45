/** A socket whose listener accepts no connection. */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import type { Bed } from './bed.js';

useNodeHost([]);

/** Calls `body` with a listener at `name` in the bed's directory, whose queue is full. */
export async function fullListener(bed: Bed, name: string, body: (path: string) => Promise<void>): Promise<void> {
  const dir = native.openAt(-100, bed.dir, 0, 0);
  const open = [dir, native.unixListen(dir, name, 0)];
  try {
    assert.ok(open[1]! >= 0);
    for (;;) {
      const client = native.unixConnect(dir, name);
      if (client === -E.EAGAIN) break;
      assert.ok(client >= 0, `connect: ${client}`);
      open.push(client);
    }
    await body(join(bed.dir, name));
  } finally {
    for (const fd of open) native.close(fd);
  }
}
