/** The objects of the snapshot, to which no reference is counted (hack/quickjs-immortal.mjs). */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const built = spawnSync('flock', ['build/.lock', process.execPath, 'hack/test-programs.mjs', 'immortal'], {
  encoding: 'utf8',
  env: { ...process.env, RUNT_NEED_SNAPSHOT: '1' },
});

if (built.status === 3) {
  process.stdout.write('# skip immortal: quickjs: QuickJS is not available\n');
  test.skip('immortal');
} else {
  test('objects of the snapshot hold what is written to them while the collector frees all garbage', () => {
    assert.is(built.status, 0, built.stderr);
    const { status, stdout, stderr } = spawnSync('build/test/immortal', { encoding: 'utf8' });
    assert.is(`${stdout}${stderr}`, 'all is there\n');
    assert.is(status, 0);
  });
}

test.run();
