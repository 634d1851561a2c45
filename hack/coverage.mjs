// Coverage of lines by the tests: coverage.mjs [--unit|--vm] [--files] [part of a path …].
//
// --unit runs only the unit tests, as hack/test.mjs does; otherwise those on the kernel follow, as root. After them,
// --vm runs those of cgroups and systemd on cgroup v2 (hack/test-vm). --files also prints the ranges of lines that are
// not executed. The tests run in a copy of the checkout, with programs that count
// (hack/coverage/instrument.mjs). They print to standard error, the tables go to standard output.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceTime } from './build.mjs';
import { cLines } from './coverage/c-lines.mjs';
import { BLOCKS_SIZE, blocksFile, POINTS_SIZE } from './coverage/instrument.mjs';
import { typeScriptSources } from './coverage/sources.mjs';
import { fileList, folderTable, rangesOf } from './coverage/table.mjs';
import { markV8 } from './coverage/v8.mjs';
import { isKernel, testPaths } from './test-paths.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const flags = process.argv.slice(2).filter((a) => a.startsWith('--'));
const parts = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const unknown = flags.find((f) => !['--unit', '--vm', '--files'].includes(f));
if (unknown) throw new Error(`unknown flag ${unknown}`);
if (!flags.includes('--unit') && process.geteuid() !== 0)
  throw new Error('the tests on the kernel need root: run as root, or with --unit');

for (const part of parts) if (testPaths([part]).length === 0) throw new Error(`no test has "${part}" in its path`);
/** Tests that reach more on cgroup v2: of cgroups, systemd, and memory that runs out. */
const OF_CGROUPS =
  /^test\/integration\/(?:cgroup\/|systemd\/|shim\/shim-(?:systemd|events)|lifecycle\/(?:events|wait|supervisor-heir))/;
/** The phases: the flag of hack/test.mjs or "--vm", the column's name, and their tests. */
const phases = [
  { flag: '--unit', name: 'unit', has: (path) => !isKernel(path) },
  { flag: '--root', name: 'unit + kernel', has: isKernel },
  { flag: '--vm', name: '+ cgroup v2', has: (path) => OF_CGROUPS.test(path) },
]
  .slice(0, flags.includes('--unit') ? 1 : flags.includes('--vm') ? 3 : 2)
  .map((phase) => ({ ...phase, paths: testPaths(parts).filter(phase.has) }))
  .filter(({ paths }) => paths.length > 0);
if (phases.length === 0)
  throw new Error(`no unit test has ${parts.map((part) => `"${part}"`).join(' or ')} in its path`);

/** Programs whose blocks are counted: the product's, and those that tests build from its sources. */
const PROGRAMS = [
  'build/runt-init',
  'build/runt/whole',
  'dist/librunt.so',
  'build/test/quickjs/whole',
  'build/test/faulty-pieces/whole',
];
/** Tests of the size, memory, flags, mappings and package of the product, which has no counters. */
const OF_THE_PRODUCT = [
  'test/sys/budget.test.ts',
  'test/native/core/hardening.test.ts',
  'test/integration/command/hardening.test.ts',
  'test/integration/library/package.test.ts',
  'test/integration/shim/shim-memory.test.ts',
];
/** Tools of the build. */
const TOOLS = ['native/quickjs/compile.c', 'native/quickjs/snapshot.c'];

// Ordinary users also run the programs, and write to their counters.
const work = realpathSync(mkdtempSync(join(tmpdir(), 'runt-coverage-')));
chmodSync(work, 0o755);
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const top = join(work, 'checkout');
/** The counters; hack/test-vm expects them here. */
const counts = join(top, 'build/counters');

function copyCheckout() {
  mkdirSync(top);
  const listed = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { encoding: 'utf8' }).split('\0');
  const made = ['node_modules', 'build/quickjs', 'build/node'];
  const paths = [...listed, ...made].filter(existsSync);
  execFileSync('cp', ['-a', '--parents', '-t', top, ...paths]);
}

function makeCounters() {
  mkdirSync(counts, { recursive: true });
  const sizes = [['points', POINTS_SIZE], ...PROGRAMS.map((program) => [blocksFile(program), BLOCKS_SIZE])];
  for (const [name, size] of sizes) {
    writeFileSync(join(counts, name), '');
    truncateSync(join(counts, name), size);
    chmodSync(join(counts, name), 0o666);
  }
}

/** Runs a script in the copy. Returns whether it succeeded. */
function run(script, args, env) {
  const stdio = ['ignore', process.stderr, process.stderr];
  const counted = { RUNT_COVERAGE: counts, RUNT_COVERAGE_PID: String(process.pid), SOURCE_DATE_EPOCH: sourceTime() };
  const options = { cwd: top, stdio, env: { ...process.env, ...counted, ...env } };
  const { status, error } = spawnSync(script, args, options);
  if (error) throw error;
  return status === 0;
}

/** Runs tests in the machine of hack/vm, and adds what they executed. Returns whether they passed. */
function runInMachine(paths) {
  const executed = join(work, 'machine');
  mkdirSync(executed);
  const env = {
    RUNT_VM_DIR: process.env.RUNT_VM_DIR ?? resolve('.vm'),
    RUNT_VM_TIMEOUT: process.env.RUNT_VM_TIMEOUT ?? '3600',
  };
  const passed = run('hack/test-vm', ['--counters', executed, ...paths], env);
  for (const name of readdirSync(executed)) {
    const [all, more] = [counts, executed].map((dir) => readFileSync(join(dir, name)));
    writeFileSync(
      join(counts, name),
      all.map((n, i) => n | more[i]),
    );
  }
  return passed;
}

/** For each path the lines that were executed since the counters were made, and all of its lines. */
function executedLines(sources) {
  const files = new Map();
  const points = readFileSync(join(counts, 'points'));
  for (const [path, source] of sources) {
    const lines = new Map();
    source.points.forEach(({ line }, n) => {
      lines.set(line, lines.get(line) || source.hits[n] === 1 || points[source.first + n] === 1);
    });
    files.set(path, lines);
  }
  for (const program of PROGRAMS.filter((path) => existsSync(join(top, path)))) {
    const blocks = readFileSync(join(counts, blocksFile(program)));
    for (const [path, all] of cLines(join(top, program), top)) {
      if (!path.startsWith('native/') || TOOLS.includes(path)) continue;
      const lines = files.get(path) ?? new Map();
      files.set(path, lines);
      for (const [line, places] of all) {
        const counters = [...places].map((place) => blocks[place + BLOCKS_SIZE / 2]);
        if (counters.includes(undefined)) throw new Error(`${program} is too large: raise BLOCKS_SIZE`);
        lines.set(line, lines.get(line) || counters.includes(1));
      }
    }
  }
  return files;
}

copyCheckout();
makeCounters();
if (!run('hack/with-node', ['hack/build.mjs'])) throw new Error('the coverage build failed, the reason is above');
const sources = typeScriptSources();
for (const source of sources.values()) source.hits = new Uint8Array(source.points.length);
const columns = [];
let failed = false;
for (const { flag, name, paths } of phases) {
  const v8 = join(work, `v8${flag}`);
  mkdirSync(v8);
  const args = ['hack/test.mjs', flag, `--except=${OF_THE_PRODUCT}`, ...parts];
  const passed = flag === '--vm' ? runInMachine(paths) : run('hack/with-node', args, { RUNT_V8_COVERAGE: v8 });
  failed ||= !passed;
  markV8(v8, top, sources);
  columns.push({ name, files: executedLines(sources) });
}
const files = [...columns.at(-1).files]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([path, lines]) => {
    const numbers = [...lines.keys()].sort((a, b) => a - b);
    const covered = columns.map(({ files }) => [...(files.get(path)?.values() ?? [])].filter(Boolean).length);
    const uncovered = new Set(numbers.filter((line) => !lines.get(line)));
    return { path, lines: numbers.length, covered, uncovered: rangesOf(numbers, uncovered) };
  });
console.log(
  folderTable(
    files,
    columns.map(({ name }) => name),
  ),
);
if (flags.includes('--files')) console.log(fileList(files));
if (failed) console.error('coverage: tests failed, the reasons are above; what they left out is not in the tables');
process.exitCode = failed ? 1 : 0;
