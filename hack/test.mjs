// Test runner: bundles the tests, runs each file in a separate process and sums up: test.mjs [--unit|--root] [part of a
// path …].
//
// --unit runs the tests that need no kernel feature (all except test/integration and test/security), --root the others.
// Without either both run, but the others only as root. A test that skips writes a line "# skip NAME: REASON"; a skip
// without such a line is a failure. RUNT_EXPECT_NO_SKIP=1 makes every skip a failure, except for the needs that
// RUNT_SKIPS lists (test/integration/bed/needs.ts). A line "# note TEXT" of a test is printed below its result, and so
// is a unit test that takes more than two seconds. The line of each file ends with its number, "[N/ALL]".
//
// RUNT_CI_SLOW is the factor by which the time limits of .ci/run are longer on this machine; it also applies to the
// limit of a file. RUNT_V8_COVERAGE is a directory for the coverage of each file's process (hack/coverage.mjs).
// RUNT_TEST_LANES is the number of files at a time.
//
// --except=PATH,… omits these files. --bundle=DIR only bundles, into DIR; --bundled=DIR runs the bundles in DIR
// (hack/test-vm: the time of a small machine is better spent on the tests).
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isKernel, testPaths } from './test-paths.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const flags = process.argv.slice(2).filter((a) => a.startsWith('--'));
const parts = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const textOf = (name) => flags.find((f) => f.startsWith(`--${name}=`))?.slice(name.length + 3);
const toBundle = textOf('bundle');
const bundled = textOf('bundled');
const excepted = textOf('except')?.split(',') ?? [];
const unknown = flags.find((f) => !['--unit', '--root'].includes(f) && !/^--(?:bundled?|except)=./.test(f));
if (unknown) throw new Error(`unknown flag ${unknown}`);
/** Time limit of a file in ms. */
const TIMEOUT = 600_000 * Math.max(1, Number(process.env.RUNT_CI_SLOW) || 1);

/** Files at a time; one in a small machine. */
const LANES = Number(process.env.RUNT_TEST_LANES ?? (bundled ? 1 : 2));

const isRoot = process.geteuid() === 0;
// Orphans of the tests would remain zombies.
if (process.pid === 1)
  throw new Error('Node.js as process 1 reaps no orphans: run the tests by make, or below a shell');

/** Whether every user may enter a directory: a checkout below /root is accessible only to root. */
const isOpen = (dir) => (statSync(dir).mode & 1) === 1 && (dir === '/' || isOpen(dirname(dir)));

/**
 * Runs this script again with the checkout bound to a path that ordinary users can reach, because some tests run as
 * one.
 */
function runInTheOpen() {
  const here = process.cwd();
  const open = mkdtempSync(join(tmpdir(), 'runt-checkout-'));
  chmodSync(open, 0o755);
  const script = 'mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"';
  const node = process.execPath.startsWith(`${here}/`) ? open + process.execPath.slice(here.length) : process.execPath;
  const command = [node, join(open, 'hack/test.mjs'), ...process.argv.slice(2)];
  const { RUNT_LIBRARY: _, ...rest } = process.env;
  const env = { ...rest, RUNT_TEST_IN_THE_OPEN: '1' };
  const inside = ['-m', '--propagation', 'private', 'sh', '-c', script, here, open, ...command];
  const r = spawnSync('unshare', inside, { stdio: 'inherit', env });
  rmdirSync(open);
  process.exit(r.status ?? 1);
}
const hasProgram = (name) => process.env.PATH?.split(delimiter).some((dir) => existsSync(join(dir || '.', name)));
// Without these programs the checkout stays where it is, and tests of ordinary users skip: need "open-checkout".
const canMove = hasProgram('mount') && hasProgram('unshare');
// Once: a checkout whose own mode excludes users stays closed wherever it is bound.
const moved = process.env.RUNT_TEST_IN_THE_OPEN === '1';
if (isRoot && !toBundle && !bundled && !moved && !isOpen(process.cwd()) && canMove) runInTheOpen();
const noSkip = process.env.RUNT_EXPECT_NO_SKIP === '1';
if (noSkip) process.env.RUNT_SKIPS ??= '';
process.env.RUNT_LIBRARY ??= `${process.cwd()}/dist/librunt.so`;
process.env.FORCE_COLOR ??= process.stdout.isTTY ? '1' : '0';

/** Files that run alone, after the others, which examine only what their own beds made: they measure the machine. */
const alone = [
  'test/integration/bed/census.test.ts',
  'test/integration/library/event-loop.test.ts',
  'test/integration/lifecycle/soak.test.ts',
  'test/integration/shim/grpc-memory.test.ts',
  'test/integration/shim/shim-memory.test.ts',
];
/** Files that take longest: the first, so that none runs by itself at the end. */
const long = [
  'test/security/each-failing-call.test.ts',
  'test/integration/mounts/propagation.test.ts',
  'test/integration/docs/pages.test.ts',
];
/** Files that only wait, for deadlines: beside the others. */
const waiting = ['test/integration/lifecycle/full-sockets.test.ts', 'test/integration/lifecycle/hook-timeout.test.ts'];
const lost = [...alone, ...long, ...waiting].find((path) => !existsSync(path));
if (lost) throw new Error(`no file ${lost}`);
const wanted = (path) => {
  if (excepted.includes(path)) return false;
  if (flags.includes('--unit') && isKernel(path)) return false;
  return !flags.includes('--root') || isKernel(path);
};
const nameless = parts.find((part) => testPaths([part]).length === 0);
if (nameless !== undefined) {
  console.error(`test: no test has "${nameless}" in its path: find test -name '*.test.ts'`);
  process.exit(1);
}
const paths = testPaths(parts).filter(wanted);
const later = !isRoot && flags.length === 0 ? paths.filter(isKernel) : [];
const now = paths.filter((p) => !later.includes(p));

// One directory per process, so that two concurrent runs do not remove each other's files.
const out = bundled ?? toBundle ?? `build/test/${process.pid}`;
if (!bundled) mkdirSync(out, { recursive: true });
if (!bundled && !toBundle) process.on('exit', () => rmSync(out, { recursive: true, force: true }));
const esbuild = bundled ? undefined : await import('esbuild');
const { define } = bundled ? {} : await import('./build.mjs');
if (!bundled) await (await import('./test-c.mjs')).testPrograms();

// Node.js passes the variable to every child, whatever environment a test sets; but the product must run without it.
const { RUNT_V8_COVERAGE: v8, ...env } = process.env;
const timedUvu = fileURLToPath(new URL('timed-uvu.mjs', import.meta.url));
/** Bundles unit tests with hack/timed-uvu.mjs in place of uvu. */
const timer = {
  name: 'timer',
  setup({ onResolve }) {
    onResolve({ filter: /^uvu$/ }, ({ importer }) => (importer === timedUvu ? undefined : { path: timedUvu }));
  },
};
const banner = v8 ? { js: 'delete globalThis.process.env.NODE_V8_COVERAGE;' } : {};
if (v8) env.NODE_V8_COVERAGE = v8;

/** Bundles one file. Returns the reason if that fails. */
async function bundle(path) {
  try {
    await esbuild.build({
      entryPoints: [path],
      outfile: `${out}/${path.replace(/\.ts$/, '.mjs')}`,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      packages: 'external',
      plugins: isKernel(path) ? [] : [timer],
      sourcemap: 'inline',
      banner,
      // Otherwise segments of a source map start in the white space before a statement, where V8 counts another one.
      minifyWhitespace: v8 !== undefined,
      define,
      logLevel: 'silent',
    });
    return undefined;
  } catch (error) {
    return error.message;
  }
}

/** Runs one bundled file. Resolves to its output and how it ended. */
function execute(path) {
  return new Promise((done) => {
    const file = `${out}/${path.replace(/\.ts$/, '.mjs')}`;
    const child = spawn(process.execPath, ['--enable-source-maps', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    let text = '';
    const end = (why) => {
      text += `\n${why}\n`;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(end, TIMEOUT, `ended after ${TIMEOUT / 1000} s`);
    let late;
    child.stdout.on('data', (d) => {
      text += d;
      // The last line of uvu: a process that runs after it was left by a test, and would run until the limit.
      if (/^ {2}Duration: /m.test(text)) late ??= setTimeout(end, 30_000, 'did not end after its last test');
    });
    child.stderr.on('data', (d) => {
      text += d;
    });
    // A process that outlives its test and holds the pipes would keep them from closing.
    child.on('exit', (code, signal) => {
      clearTimeout(late);
      late = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        done({ text: `${text}\nleft a process that holds its output\n`, code: code || 1, signal });
      }, 5000);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(late);
      done({ text, code, signal });
    });
  });
}

if (toBundle) {
  const broken = (await Promise.all(now.map(bundle))).filter((reason) => reason !== undefined);
  for (const reason of broken) console.error(reason);
  process.exit(broken.length > 0 ? 1 : 0);
}

let ended = 0;
const running = new Set();
// The step's time limit in .ci/run: print which file used it up.
process.on('SIGTERM', () => {
  console.log(`\nended by SIGTERM after ${ended} of ${now.length} files, in ${[...running].join(' and ')}`);
  process.exit(143);
});

const sum = { passed: 0, failed: 0, skipped: 0 };
const skips = [];
const slow = [];
const failures = [];
const lines = [];

async function test(path) {
  const started = Date.now();
  running.add(path);
  const broken = bundled ? undefined : await bundle(path);
  const { text, code, signal } = broken ? { text: broken, code: 1, signal: null } : await execute(path);
  // uvu's own summary; its colours do not cover the numbers.
  const number = (word) => Number(new RegExp(`^ {2}${word}:? +(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const [total, passed, skipped] = ['Total', 'Passed', 'Skipped'].map(number);
  const reasons = [...text.matchAll(/^# skip (.*)$/gm)].map((m) => m[1]);
  let problem;
  if (Number.isNaN(total)) problem = `ended without a summary (${signal ?? `exit ${code}`})`;
  else if (total + skipped === 0) problem = 'has no test';
  else if (code !== 0 && passed === total) problem = `exit ${signal ?? code} though all passed`;
  else if (skipped > 0 && reasons.length === 0) problem = `skips ${skipped} without a reason`;
  sum.passed += passed || 0;
  sum.skipped += skipped || 0;
  const failed = (Number.isNaN(total) ? 0 : total - passed) + (problem ? 1 : 0);
  sum.failed += failed;
  for (const reason of reasons) {
    const need = reason.slice(reason.indexOf(': ') + 2).split(':')[0];
    skips.push(`${path}: ${reason}`);
    if (noSkip && !process.env.RUNT_SKIPS.split(',').includes(need)) {
      failures.push(`${path}: skip not expected: ${reason}`);
      sum.failed++;
    }
  }
  const mark = failed ? 'FAIL' : 'ok  ';
  running.delete(path);
  ended++;
  const line = `${mark} ${path} ${passed || 0}/${total || 0} ${((Date.now() - started) / 1000).toFixed(1)}s${skipped ? `, ${skipped} skipped` : ''} [${ended}/${now.length}]`;
  lines.push(line);
  console.log(line);
  for (const [, what] of text.matchAll(/^# slow (.*)$/gm)) {
    console.log(`       slow: ${what}`);
    slow.push(`${path}: ${what}`);
  }
  for (const [, note] of text.matchAll(/^# note (.*)$/gm)) console.log(`       ${note}`);
  if (failed) {
    failures.push(`${path}${problem ? `: ${problem}` : ''}`);
    console.log(text.trimEnd());
  }
}

/** Runs the files, `width` at a time. */
async function all(list, width) {
  const queue = [...list];
  const worker = async () => {
    for (let path = queue.shift(); path; path = queue.shift()) await test(path);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

await all(
  now.filter((p) => !isKernel(p)),
  LANES,
);
const kernel = now.filter(isKernel);
const together = kernel.filter((path) => ![...alone, ...waiting].includes(path));
const isLong = (path) => long.includes(path);
await Promise.all([
  all([...together.filter(isLong), ...together.filter((path) => !isLong(path))], LANES),
  all(
    kernel.filter((path) => waiting.includes(path)),
    1,
  ),
]);
await all(
  kernel.filter((path) => alone.includes(path)),
  1,
);
for (const path of later) {
  sum.skipped++;
  skips.push(`${path}: root: not root`);
  if (noSkip && !process.env.RUNT_SKIPS.split(',').includes('root')) {
    sum.failed++;
    failures.push(`${path}: skip not expected: not root`);
  }
}
// For hack/test-vm's table of what ran where.
if (!bundled && parts.length === 0 && isRoot) writeFileSync('build/test-here.txt', `${lines.join('\n')}\n`);
if (slow.length) console.log(`\nslow, at a load of ${loadavg()[1].toFixed(1)}:\n  ${slow.join('\n  ')}`);
if (skips.length) console.log(`\nskipped:\n  ${skips.join('\n  ')}`);
if (failures.length) console.log(`\nfailed:\n  ${failures.join('\n  ')}`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);
