/** The shorter ways of QuickJS (hack/quickjs-fast.mjs): they give what V8 gives, in a snapshot and without. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { results } from './fast-cases.js';

const built = spawnSync('flock', ['build/.lock', process.execPath, 'hack/test-programs.mjs', 'fast'], {
  encoding: 'utf8',
  env: { ...process.env, RUNT_NEED_SNAPSHOT: '1' },
});

if (built.status === 3) {
  process.stdout.write('# skip fast: quickjs: QuickJS is not available\n');
  test.skip('fast');
} else {
  const run = () => spawnSync('build/test/fast', { encoding: 'utf8' });
  for (const [line, when] of ['when the snapshot is made', 'when a program runs'].entries()) {
    for (const [group, name] of [
      'literals',
      'spreads',
      'strings',
      'functions',
      'properties',
      'loops',
      'random work on arrays',
    ].entries()) {
      test(`QuickJS gives what V8 gives for ${name}, ${when}`, () => {
        assert.is(built.status, 0, built.stderr);
        const { status, stdout, stderr } = run();
        assert.is(status, 0, stderr);
        const given = JSON.parse(stdout.split('\n')[line] as string);
        assert.equal(given[group], JSON.parse(results())[group]);
      });
    }
  }
}

test.run();
