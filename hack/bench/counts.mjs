/**
 * What commands of runt cost in numbers that do not depend on the machine's speed: system calls, page faults, and
 * instructions where perf counts them. Compares them with hack/bench/counts.json, those of the last commit.
 *
 *     node hack/bench/counts.mjs [--write]
 *
 * Fails if a count is more than 2 % higher (page faults: 30 %). Who does that on purpose writes the file
 * anew (--write) in the same commit. The counts depend on the kernel and its cgroups: on another kind of machine
 * nothing is compared.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { addMounts, addProfile, makeBundle, rootfsWithTargets } from './bundles.mjs';
import { Commands } from './commands.mjs';
import { cgroupLayout, compile, enterNamespace, fail, rootfs, top, which } from './machine.mjs';
import { measure, syscalls } from './measure.mjs';

/**
 * The share and the number that a count may grow by. Page faults depend on the page cache: the same program in another
 * directory had up to 44 more.
 */
const TOLERANCE = { syscalls: [1.02, 2], instructions: [1.02, 2], faults: [1.3, 20] };
const ROUNDS = 8;

enterNamespace();
const file = join(top, 'hack', 'bench', 'counts.json');
const write = process.argv.includes('--write');
if (!write && !existsSync(file)) fail(`${file} is missing: make it with --write`);
const runt = resolve(top, process.env.RUNT_BIN ?? 'dist/runt');
const work = mkdtempSync(join(tmpdir(), 'runt-counts-'));
const commands = new Commands({ runt }, compile('floor'), work);
const log = join(work, 'log');

/** {command: steps}. The bundles are runt's own: their config is that of this commit. */
function cases() {
  const plain = makeBundle(join(work, 'plain'), runt, rootfs(), ['/true']);
  const sleeper = makeBundle(join(work, 'sleeper'), runt, rootfs(), ['/bin/sleep', '10000']);
  const targets = rootfsWithTargets(join(work, 'targets'), rootfs(), 100);
  const source = join(work, 'source');
  mkdirSync(source);
  const large = makeBundle(join(work, 'large'), runt, targets, ['/true'], (config) => {
    addProfile(config, top);
    addMounts(config, 100, source);
  });
  // Its cgroup has this name too, and another run of this script may be at work.
  const id = `sleeper-${process.pid}`;
  commands.keep('runt', id, sleeper);
  return {
    run: commands.run('runt', plain),
    'create, start, delete': commands.threeSteps('runt', plain),
    'run with a profile and 100 mounts': commands.run('runt', large),
    exec: [commands.call('runt', ['exec', id, '/true'])],
    state: [commands.call('runt', ['state', id])],
    list: [commands.call('runt', ['list'])],
    version: [[runt, '--version']],
  };
}

/** Instructions in user mode; undefined where perf cannot count them, as in most virtual machines. */
function instructions(steps, id) {
  if (steps.includes('reap') || !which('perf')) return undefined;
  const command = steps[0].map((word) => word.replace('%i', id));
  const r = spawnSync('perf', ['stat', '-x,', '-e', 'instructions:u', '--', ...command], { encoding: 'utf8' });
  const found = /^(\d+),[^\n]*instructions/m.exec(r.stderr);
  return found ? Number(found[1]) : undefined;
}

const least = (count, once) => Math.min(...Array.from({ length: count }, (_, i) => once(i)));

/** {command: {syscalls, faults, instructions?}}, the least of some rounds. */
function countAll() {
  const counts = {};
  for (const [name, steps] of Object.entries(cases())) {
    const id = (kind, i) => `${kind}-${process.pid}-${i}`;
    const perf = instructions(steps, id('perf', 0));
    counts[name] = {
      syscalls: least(3, (i) => syscalls(steps, id('calls', i))),
      faults: measure({ runt: steps }, { rounds: ROUNDS, warmup: 2, pause: 0, log }).runt.leastFaults,
      ...(perf !== undefined && { instructions: least(3, (i) => instructions(steps, id('more', i))) }),
    };
  }
  return counts;
}

/** What the counts depend on beside runt. */
function machine() {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').match(/ - cgroup2? /g)?.length ?? 0;
  const compiler = execFileSync('cc', ['-dumpfullversion'], { encoding: 'utf8' }).trim();
  const { type } = statfsSync(top);
  return `${process.arch}, Linux ${release()}, ${cpus().length} CPUs, cgroup ${layout} with ${mounts} mounts, file system ${type.toString(16)}, gcc ${compiler}`;
}

const layout = cgroupLayout();
try {
  const found = { machine: machine(), counts: countAll() };
  if (write) {
    writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
    process.stdout.write(`counts: written to ${file}\n`);
  } else compare(JSON.parse(readFileSync(file, 'utf8')), found);
} finally {
  commands.sweep();
  rmSync(work, { recursive: true, force: true });
}

function compare(before, now) {
  if (before.machine !== now.machine) {
    process.stdout.write(`counts: not compared: those of the file are of ${before.machine}; this is ${now.machine}\n`);
    return;
  }
  let worse = 0;
  for (const [name, counts] of Object.entries(now.counts)) {
    for (const [kind, count] of Object.entries(counts)) {
      const old = before.counts[name]?.[kind];
      const limit =
        old === undefined ? Number.POSITIVE_INFINITY : Math.max(old * TOLERANCE[kind][0], old + TOLERANCE[kind][1]);
      const verdict = old === undefined ? 'new' : count > limit ? 'WORSE' : '';
      if (verdict === 'WORSE') worse++;
      process.stdout.write(
        `${name.padEnd(36)}${kind.padEnd(14)}${String(old ?? '–').padStart(10)}${String(count).padStart(10)}  ${verdict}\n`,
      );
    }
  }
  if (worse === 0) return;
  process.stdout.write(
    `counts: ${worse} above those of the last commit. Lower them, or say why they must be higher: node hack/bench/counts.mjs --write, in the same commit\n`,
  );
  process.exitCode = 1;
}
