// Each system call of runt, runt-init and the supervisor fails once, and is a point at which they are killed (as root):
// faults.mjs [--shard=3/20 or 3-5/20] [--seed=N] [--of=create,exec] [--with=hooks] [--skip=N] [--count=N] [--every]
//   [--jobs=2]
// faults.mjs --only=create+hooks:init:openat:12:EIO
//
// --of names operations, --with variants. --count is the most points, --skip goes on after an interrupted run. --every
// takes the points of a variant that another one has too, --only repeats one finding. Prints each finding with the
// command that repeats it, then a table; exits 1 if there is one. docs/testing.md tells what is checked.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { nodeProgram } from './build.mjs';
import { testPrograms } from './test-c.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (process.geteuid() !== 0) {
  console.error('faults: it makes containers: run it as root');
  process.exit(2);
}
await testPrograms();
const out = `build/faults/${process.pid}`;
mkdirSync(out, { recursive: true });
await esbuild.build({
  entryPoints: ['test/faults/faults.ts'],
  outfile: `${out}/faults.mjs`,
  ...nodeProgram,
  target: 'node20',
  sourcemap: 'inline',
});
// An interrupt is also sent to the programs, which end their containers first.
process.on('SIGINT', () => {});
const { jobs, rest } = jobsOf(process.argv.slice(2));
const ended = await Promise.all(
  Array.from({ length: jobs }, (_, i) => {
    const own = [`--job=${i + 1}/${jobs}`, `--sums=${out}/${i}`];
    const child = spawn(process.execPath, ['--enable-source-maps', `${out}/faults.mjs`, ...rest, ...own], {
      stdio: 'inherit',
    });
    return new Promise((done) => child.on('close', (code) => done(code === 0)));
  }),
);
const names = ['points', 'survived', 'missed', 'findings'];
const sums = {};
const all = Object.fromEntries(names.map((name) => [name, 0]));
for (const i of ended.keys())
  for (const [operation, sum] of Object.entries(
    existsSync(`${out}/${i}`) ? JSON.parse(readFileSync(`${out}/${i}`)) : {},
  ))
    for (const name of names) {
      sums[operation] ??= Object.fromEntries(names.map((name) => [name, 0]));
      sums[operation][name] += sum[name];
      all[name] += sum[name];
    }
rmSync(out, { recursive: true, force: true });
const row = (operation, sum) => console.log(`| ${operation} | ${names.map((name) => sum[name]).join(' | ')} |`);
console.log('\n| operation | points | survived | not reached | findings |\n|---|---|---|---|---|');
for (const operation of Object.keys(sums).sort()) row(operation, sums[operation]);
row('all', all);
console.log(`${all.survived} passed, ${all.findings} failed, ${all.missed} skipped`);
process.exit(ended.every(Boolean) && all.findings === 0 ? 0 : 1);

/** The number of --jobs, and the other arguments. */
function jobsOf(args) {
  const found = args.find((arg) => /^--jobs=[1-9]$/i.test(arg));
  return { jobs: Number(found?.slice('--jobs='.length) ?? 1), rest: args.filter((arg) => arg !== found) };
}
