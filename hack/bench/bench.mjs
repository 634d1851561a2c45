/**
 * `make bench`: runt beside crun, runc and youki on the same bundles, alternating run by run, and beside the floor
 * (hack/bench/floor.c).
 *
 *     ROUNDS=N QUICK=1 KEPT=1,100,1000 node hack/bench/bench.mjs [--out FILE] [--only runt,crun,…] [--before RUNT]
 *         [--rows PART OF A NAME,…]
 *
 * Node.js only orchestrates; hack/bench/timer.c measures every time. Runs in a private mount namespace. docs/bench.md
 * explains each row.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Commands } from './commands.mjs';
import { contenders, version } from './contenders.mjs';
import { cgroupLayout, compile, enterNamespace, fail, option, rootfs, top, which } from './machine.mjs';
import { printHead, printRow } from './report.mjs';
import { measureRows } from './rows.mjs';

const known = ['--out', '--only', '--before', '--rows'];
const wrong = process.argv.slice(2).find((arg, i, all) => !known.includes(arg) && !known.includes(all[i - 1]));
if (wrong !== undefined) fail(`unknown flag ${wrong}: ${known.join(', ')}, each with a value`);
const quick = process.env.QUICK === '1';
const rounds = Number(process.env.ROUNDS ?? (quick ? 8 : 60));
if (!Number.isInteger(rounds) || rounds < 1) fail(`ROUNDS must be a whole number above 0, found ${process.env.ROUNDS}`);
/** The numbers of containers that runt keeps in the last rows. */
const kept = (process.env.KEPT ?? (quick ? '' : '1,100,1000')).split(',').map(Number).filter(Boolean);
const rows = option('--rows')?.split(',');

enterNamespace();
const programs = contenders(quick);
if (Object.keys(programs).length === 0) fail('no program to measure is here');
const work = mkdtempSync(join(tmpdir(), 'runt-bench-'));
const commands = new Commands(programs, compile('floor'), work);
const result = {
  date: new Date().toISOString(),
  kernel: release(),
  cpu: cpus()[0]?.model ?? '',
  cpus: cpus().length,
  load: loadavg()[0],
  quick,
  rounds,
  cgroups: cgroupLayout(),
  versions: Object.fromEntries(Object.entries(programs).map(([name, path]) => [name, version(path)])),
  rows: {},
};
try {
  process.stdout.write(`bench: ${rounds} rounds on cgroup ${result.cgroups}, Linux ${result.kernel}; times in ms\n`);
  printHead(result.versions);
  const o = {
    rounds,
    quick,
    kept,
    // Prefer the program whose `spec` writes the oldest version: crun 1.8 refuses a newer one.
    spec: which('runc') ?? which('crun') ?? programs.runt,
    rootfs: rootfs(),
    log: join(work, 'log'),
    wants: (row) => !rows || rows.some((part) => row.includes(part)),
  };
  await measureRows(commands, o, (row, who) => {
    printRow(row, who);
    result.rows[row] = { ...result.rows[row] };
    for (const [name, s] of Object.entries(who)) result.rows[row][name] = { ...result.rows[row][name], ...s };
  });
  process.stdout.write('(rows without a floor have /bin/true in its place)\n');
  const out = resolve(top, option('--out') ?? join('bench', 'latest.json'));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`\nbench: written to ${out}\n`);
} catch (failure) {
  process.stderr.write(`bench: ${failure.message}\n`);
  process.exitCode = 1;
} finally {
  commands.sweep();
  rmSync(work, { recursive: true, force: true });
}
