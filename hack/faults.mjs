// Each system call of runt, runt-init and the supervisor fails once, and is a point at which they are killed (as root):
// faults.mjs [--shard=3/20] [--seed=N] [--of=create,exec] [--count=N] [--every]
// faults.mjs --only=create+hooks:init:openat:12:EIO
//
// --of names operations, --count is the most points, --every takes the points of a variant that another one has too,
// --only repeats one finding. Prints each finding with the command that repeats it, then a table; exits 1 if there is
// one. docs/testing.md tells what is checked.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { define } from './build.mjs';
import { testPrograms } from './test-c.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (process.geteuid() !== 0) {
  console.error('faults: it makes containers: run it as root');
  process.exit(2);
}
testPrograms();
const out = `build/faults/${process.pid}`;
mkdirSync(out, { recursive: true });
await esbuild.build({
  entryPoints: ['test/faults/faults.ts'],
  outfile: `${out}/faults.mjs`,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: 'inline',
  define,
  logLevel: 'warning',
});
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', `${out}/faults.mjs`, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
rmSync(out, { recursive: true, force: true });
process.exit(status ?? 1);
