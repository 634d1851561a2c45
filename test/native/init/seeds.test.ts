/** The seeds of hack/fuzz: this test finds a new operation without one, before the next night's fuzzing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('every operation of runt-init is in a seed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-seeds-'));
  try {
    const outfile = join(dir, 'seeds.mjs');
    buildSync({ entryPoints: ['test/native/init/seeds.ts'], outfile, bundle: true, platform: 'node', format: 'esm' });
    execFileSync(process.execPath, [outfile, dir], { encoding: 'utf8', stdio: 'pipe' });
    assert.ok(readdirSync(join(dir, 'plan')).length > 70);
    assert.ok(readdirSync(join(dir, 'json')).length > 4);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
