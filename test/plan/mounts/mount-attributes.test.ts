/** Attributes of a new file system: `ro` and `rro` apply to one mount, the recursive option last. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../src/plan/compile.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { defaultConfig } from '../../integration/bed/config.js';
import { compileOptions, hostFacts } from '../facts.js';

useNodeHost([]);

/** MOUNT_ATTR_* (linux/mount.h). */
const [RDONLY, NOSUID, NOATIME, STRICTATIME] = [1, 2, 0x10, 0x20];

/** The attributes of a tmpfs with the options. */
function attributes(...options: string[]): unknown {
  const config = defaultConfig();
  config.mounts = [{ destination: '/x', type: 'tmpfs', source: 'tmpfs', options }];
  const { plan } = compile(config, hostFacts(), compileOptions());
  for (const op of plan.ops) if (op.op === 'mountFs' && op.at === '/mounts/0') return op.attrs;
  return undefined;
}

test('a recursive option undoes the plain one of the same flag, as mount_setattr(2) does after mount(2)', () => {
  assert.is(attributes('nosuid', 'rsuid'), 0);
  assert.is(attributes('ro', 'rrw'), 0);
  assert.is(attributes('nosuid', 'ro', 'rrw'), NOSUID);
  assert.is(attributes('rsuid', 'nosuid'), 0, 'whatever their order, as with runc');
});

test('of two modes of access times the recursive one counts: both together are none that the kernel has', () => {
  assert.is(attributes('noatime', 'rstrictatime'), STRICTATIME);
  assert.is(attributes('strictatime', 'rnoatime'), NOATIME);
  assert.is(attributes('noatime', 'rrelatime', 'rro'), RDONLY);
});

test.run();
