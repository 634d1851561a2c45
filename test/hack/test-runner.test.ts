/** hack/test.mjs: parts of paths that name no test. */
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('hack/test.mjs');

test('a part that is in no path is an error', () => {
  const r = spawnSync(process.execPath, ['hack/test.mjs', 'hack/test-runner', 'no-such-noun'], { encoding: 'utf8' });
  assert.is(r.stdout, '');
  assert.match(r.stderr, /^test: no test has "no-such-noun" in its path/);
  assert.is(r.status, 1);
});

test.run();
