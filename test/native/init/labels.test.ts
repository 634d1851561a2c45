/** Security labels: written if the kernel has the module; otherwise the error names the file. */
import { existsSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { mountFs } from '../../../src/plan/mounts/mount-op.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { needing } from '../../integration/bed/bed.js';
import { andRun, Ground, intoRoot, perform } from './perform.js';

const test = needing('security labels', 'root', 'programs');
const apparmor = existsSync('/proc/self/attr/apparmor/exec');
const selinux = existsSync('/sys/fs/selinux/enforce');

/** `file` may be one that no plan contains. */
const label = (file: string, text: string): Op => ({ op: 'securityLabel', at: '/process', file, label: text }) as Op;

async function labelled(file: string, text: string) {
  const ground = new Ground();
  try {
    return await perform([...intoRoot(ground.rootfs), label(file, text), ...andRun('cat /proc/self/attr/current')]);
  } finally {
    ground.end();
  }
}

if (!apparmor) {
  test("without AppArmor, a label's file does not exist", async () => {
    const r = await labelled('apparmor/exec', 'exec unconfined');
    assert.equal(r.reports.at(-1), ['error', '4', '2', 'open', '']);
    assert.is(r.code, 1);
  });
}

if (!selinux && !apparmor) {
  test('without any security module, no label can be written', async () => {
    for (const file of ['exec', 'keycreate']) {
      const r = await labelled(file, 'u:r:t:s0');
      assert.equal(r.reports.at(-1), ['error', '4', '22', 'write', ''], file);
    }
  });
}

test('a mount is labelled by its root directory, if the file system supports labels', async () => {
  const ground = new Ground();
  try {
    const mount = (target: string, fstype: string) =>
      mountFs({ at: '', target, fstype, source: fstype, options: [], attrs: 0 });
    const mounted = [mount('/tmp', 'tmpfs'), mount('/proc', 'proc')];
    const on = (target: string) => ({ op: 'labelMount' as const, at: '', target, label: 'u:object_r:t:s0:c1,c2' });
    const run = (target: string) => perform([...intoRoot(ground.rootfs), ...mounted, on(target), ...andRun('true')]);
    assert.is((await run('/tmp')).code, 0);
    assert.equal((await run('/proc')).reports.at(-1)?.slice(2), ['95', 'fsetxattr', '/proc']);
    assert.equal((await run('/none')).reports.at(-1)?.slice(2), ['2', 'openat2', '/none']);
  } finally {
    ground.end();
  }
});

test('no other file of the process can be written', async () => {
  for (const file of ['../oom_score_adj', 'apparmor/../../oom_score_adj', 'current', '', 'exec/x']) {
    const r = await labelled(file, '1000');
    assert.equal(r.reports.at(-1), ['error', '4', '22', 'open', ''], file);
  }
  assert.not.match(readFileSync('/proc/self/oom_score_adj', 'utf8'), /^1000/);
});

test.run();
