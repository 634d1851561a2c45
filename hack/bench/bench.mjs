/**
 * `make bench`: runt, crun and runc on the same bundle, alternating run by run, beside the floor (hack/bench/floor.c).
 *
 *     ROUNDS=N QUICK=1 node hack/bench/bench.mjs [--out FILE] [--only runt,crun,…] [--before RUNT]
 *
 * Node.js only orchestrates; hack/bench/timer.c measures every time. Runs in a private mount namespace. docs/bench.md
 * explains each row.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addMounts, addProfile, makeBundle, rootfsWithTargets } from './bundles.mjs';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const build = join(top, 'build', 'bench');

/** The value after `name` on the command line. */
function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

const quick = process.env.QUICK === '1';
const rounds = Number(process.env.ROUNDS ?? (quick ? 8 : 60));
if (!Number.isInteger(rounds) || rounds < 1) fail(`ROUNDS must be a whole number above 0, found ${process.env.ROUNDS}`);
const batch = quick ? 16 : 100;
const batchRounds = quick ? 1 : 3;
/** The number of containers that run beside the last rows, and of mounts in the row with many. */
const kept = Number(process.env.KEPT ?? (quick ? 0 : 1000));
const manyMounts = quick ? 100 : 500;

function fail(text) {
  process.stderr.write(`bench: ${text}\n`);
  process.exit(1);
}

/** Runs the rest in a private mount namespace, so that its mounts and unmounts affect no other process. */
function enterNamespace() {
  if (process.env.RUNT_BENCH_INSIDE === '1') return;
  if (process.geteuid() !== 0) fail('needs root: it makes cgroups and namespaces');
  const r = spawnSync(
    'unshare',
    ['-m', '--propagation', 'private', process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, RUNT_BENCH_INSIDE: '1' } },
  );
  if (r.error) fail(`unshare: ${r.error.message}`);
  process.exit(r.status ?? 1);
}

/** crun 1.8 refuses the hybrid layout and, once the v2 mount is gone, writes plain files to its mount point. */
function leaveHybridLayout() {
  const unified = '/sys/fs/cgroup/unified';
  if (!existsSync(unified) || statfsSync(unified).type !== 0x63677270) return false;
  execFileSync('umount', [unified]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', unified]);
  return true;
}

function which(name) {
  return (process.env.PATH ?? '')
    .split(':')
    .map((dir) => join(dir || '.', name))
    .find(existsSync);
}

function compile(name) {
  mkdirSync(build, { recursive: true });
  const musl = which('musl-gcc');
  const headers = musl
    ? [
        '-idirafter',
        '/usr/include',
        '-idirafter',
        `/usr/include/${execFileSync('cc', ['-print-multiarch'], { encoding: 'utf8' }).trim()}`,
      ]
    : [];
  const program = join(build, name);
  execFileSync(
    musl ?? 'cc',
    [
      '-std=c11',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-O2',
      '-static',
      '-s',
      ...headers,
      '-o',
      program,
      join(top, 'hack', 'bench', `${name}.c`),
    ],
    { stdio: 'inherit' },
  );
  return program;
}

enterNamespace();
const only = option('--only')?.split(',');
const wanted = (name) => !only || only.includes(name);
/** Another build of runt for comparison. */
const earlier = option('--before');
const programs = {
  runt: resolve(top, process.env.RUNT_BIN ?? 'dist/runt'),
  ...(earlier && { before: resolve(earlier) }),
  crun: which('crun'),
  runc: which('runc'),
};
const missing = [];
for (const [name, path] of Object.entries(programs)) {
  if (!wanted(name) && name !== 'before') delete programs[name];
  else if (!path || !existsSync(path)) {
    missing.push(name);
    delete programs[name];
  }
}
const names = Object.keys(programs);
for (const name of missing) process.stdout.write(`bench: ${name} is missing: its columns are left out\n`);
if (names.length === 0) fail('none of runt, crun and runc is here');

const timer = compile('timer');
const floor = compile('floor');
execFileSync(join(top, 'hack', 'rootfs'), [join(top, 'build', 'rootfs')], { stdio: 'inherit' });
const work = mkdtempSync(join(tmpdir(), 'runt-bench-'));
const log = join(work, 'log');
const layoutChanged = leaveHybridLayout();
// Prefer the program whose `spec` writes the oldest version: crun 1.8 refuses a newer one.
const spec = which('runc') ?? which('crun') ?? programs.runt;
const rootfs = join(top, 'build', 'rootfs');
const bundle = makeBundle(join(work, 'true'), spec, rootfs, ['/true']);
const sleeper = makeBundle(join(work, 'sleep'), spec, rootfs, ['/bin/sleep', '10000']);
const targets = rootfsWithTargets(join(work, 'targets'), rootfs, manyMounts);
const source = join(work, 'source');
mkdirSync(source);
const confined = makeBundle(join(work, 'confined'), spec, targets, ['/true'], (config) => {
  addProfile(config, top);
  addMounts(config, 20, source);
});
const mounted = makeBundle(join(work, 'mounted'), spec, targets, ['/true'], (config) =>
  addMounts(config, manyMounts, source),
);
// The floor expects its rootfs beside the config.
execFileSync('ln', ['-s', join(top, 'build', 'rootfs'), join(bundle, 'rootfs')]);

const root = (name) => {
  const dir = join(work, `state-${name}`);
  mkdirSync(dir, { recursive: true });
  return dir;
};
const step = (...args) => ['step', ...args].join('\t');

/** create, start, wait for the exit, delete; `cold`: with a new state directory each time. */
function threeSteps(name, from = bundle, cold = false) {
  const pid = join(work, `${name}-%i.pid`);
  if (name === 'floor') {
    return [
      step(floor, 'create', root(name), bundle, '%i', pid),
      step(floor, 'start', root(name), '%i'),
      'reap',
      step(floor, 'delete', root(name), '%i'),
    ];
  }
  const command = [programs[name], '--root', cold ? join(root(`${name}-cold`), '%i') : root(name)];
  return [
    step(...command, 'create', '--bundle', from, '--pid-file', pid, '%i'),
    step(...command, 'start', '%i'),
    'reap',
    step(...command, 'delete', '%i'),
  ];
}

function oneStep(name) {
  return name === 'floor'
    ? [step(floor, 'run', root(name), bundle, '%i')]
    : [step(programs[name], '--root', root(name), 'run', '--bundle', bundle, '%i')];
}

/** Creates and starts a sleeping container. It outlives the command, so it must not hold its stdio open. */
function keep(name, id) {
  for (const args of [['create', '--bundle', sleeper], ['start']]) {
    execFileSync('sh', [
      '-c',
      '"$@" </dev/null >"$0" 2>&1',
      join(work, `keep-${name}`),
      programs[name],
      '--root',
      root(name),
      ...args,
      id,
    ]);
  }
}

/** One more container, `state` and `list`, beside one running container and beside many of runt, in its own root. */
function rowsOfMany(rows) {
  const command = [programs.runt, '--root', root('runt')];
  const measureAll = (count) => {
    rows[`one more, ${count} kept`] = summary(
      measure(
        each([...names, 'floor'], (name) => threeSteps(name)),
        { rounds },
      ),
    );
    rows[`state, ${count} kept`] = summary(
      measure(
        { runt: [step(...command, 'state', 'kept-0')], '/bin/true': [step('/bin/true')] },
        { rounds: rounds * 4 },
      ),
    );
    rows[`list, ${count} kept`] = summary(
      measure({ runt: [step(...command, 'list')], '/bin/true': [step('/bin/true')] }, { rounds }),
    );
  };
  keep('runt', 'kept-0');
  measureAll(1);
  for (let i = 1; i < kept; i++) keep('runt', `kept-${i}`);
  measureAll(kept);
  sweep();
}

/** Removes what an interrupted round left. */
function sweep() {
  for (const name of names) {
    for (const id of readdirSync(root(name))) {
      if (id.startsWith('.')) continue;
      spawnSync(programs[name], ['--root', root(name), 'delete', '--force', id], { stdio: 'ignore' });
    }
  }
}

/** Runs the timer on `contenders` ({name: lines}). Returns {name: [{ns, rss, steps}]}. */
function measure(contenders, o) {
  const job = Object.entries(contenders)
    .map(([name, lines]) => `contender\t${name}\n${lines.join('\n')}\n`)
    .join('');
  const r = spawnSync(timer, [o.rounds, o.warmup ?? 2, o.count ?? 1, o.parallel ?? 1, log].map(String), {
    input: job,
    stdio: ['pipe', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  if (r.status !== 0) {
    const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : '';
    sweep();
    throw new Error(`timer: exit ${r.status ?? r.signal}\n${said}`);
  }
  const samples = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (const line of r.stdout.trim().split('\n')) {
    const [name, ns, rss, ...steps] = line.split('\t');
    samples[name].push({ ns: Number(ns), rss: Number(rss), steps: steps.map(Number) });
  }
  return samples;
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (at - low);
}

/** Times in ms, memory in KiB. */
function summary(samples) {
  return Object.fromEntries(
    Object.entries(samples).map(([name, list]) => [
      name,
      {
        median: quantile(
          list.map((s) => s.ns / 1e6),
          0.5,
        ),
        p95: quantile(
          list.map((s) => s.ns / 1e6),
          0.95,
        ),
        rss: Math.max(...list.map((s) => s.rss)),
        steps: (list[0].steps ?? []).map((_, i) =>
          quantile(
            list.map((s) => s.steps[i] / 1e6),
            0.5,
          ),
        ),
        samples: list.length,
      },
    ]),
  );
}

const each = (names, make) => Object.fromEntries(names.map((name) => [name, make(name)]));
const result = {
  date: new Date().toISOString(),
  kernel: release(),
  cpu: cpus()[0]?.model ?? '',
  cpus: cpus().length,
  quick,
  layout: layoutChanged ? 'v1 (hybrid without its v2 mount, for crun)' : 'as found',
  versions: each(names, (name) => execFileSync(programs[name], ['--version'], { encoding: 'utf8' }).split('\n')[0]),
  rows: {},
};

try {
  process.stdout.write(`bench: ${rounds} rounds, ${names.join(', ')} and the floor; times in ms\n`);
  const all = [...names, 'floor'];
  const rows = result.rows;
  rows['create + start + delete'] = summary(measure(each(all, threeSteps), { rounds }));
  rows.run = summary(measure(each(all, oneStep), { rounds }));
  rows['--version'] = summary(
    measure(
      { ...each(names, (name) => [step(programs[name], '--version')]), '/bin/true': [step('/bin/true')] },
      { rounds: rounds * 4 },
    ),
  );
  for (const name of names) keep(name, `bench-sleeper-${name}`);
  rows.state = summary(
    measure(
      {
        ...each(names, (name) => [step(programs[name], '--root', root(name), 'state', `bench-sleeper-${name}`)]),
        '/bin/true': [step('/bin/true')],
      },
      { rounds: rounds * 4 },
    ),
  );
  rows.exec = summary(
    measure(
      {
        ...each(names, (name) => [
          step(programs[name], '--root', root(name), 'exec', `bench-sleeper-${name}`, '/true'),
        ]),
        '/bin/true': [step('/bin/true')],
      },
      { rounds: rounds * 2 },
    ),
  );
  sweep();
  rows['profile and 20 mounts'] = summary(
    measure(
      each(names, (name) => threeSteps(name, confined)),
      { rounds },
    ),
  );
  rows['the same, cold cache'] = summary(
    measure(
      each(names, (name) => threeSteps(name, confined, true)),
      { rounds: Math.ceil(rounds / 3) },
    ),
  );
  rows[`${manyMounts} mounts`] = summary(
    measure(
      each(names, (name) => threeSteps(name, mounted)),
      { rounds: Math.ceil(rounds / 3) },
    ),
  );
  rows[`${batch} in a row`] = summary(measure(each(all, threeSteps), { rounds: batchRounds, warmup: 0, count: batch }));
  rows[`${batch}, 8 at a time`] = summary(
    measure(each(all, threeSteps), { rounds: batchRounds, warmup: 0, count: batch, parallel: 8 }),
  );
  if (programs.runt && kept > 0) rowsOfMany(rows);
  report(result);
  const out = resolve(top, option('--out') ?? join('bench', 'latest.json'));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`\nbench: written to ${out}\n`);
} catch (failure) {
  process.stderr.write(`bench: ${failure.message}\n`);
  process.exitCode = 1;
} finally {
  sweep();
  rmSync(work, { recursive: true, force: true });
}

function report({ rows, versions }) {
  const peers = ['before', 'crun', 'runc'].filter((name) => versions[name]);
  const line = (cells) =>
    process.stdout.write(`${cells.map((c, i) => (i === 0 ? c.padEnd(26) : c.padStart(11))).join('')}\n`);
  for (const [name, text] of Object.entries(versions)) process.stdout.write(`  ${name}: ${text}\n`);
  process.stdout.write('\n');
  line(['', 'who', 'median', 'p95', ...peers.map((p) => `/ ${p}`), '/ floor', 'peak MB']);
  for (const [row, who] of Object.entries(rows)) {
    const base = who.floor ?? who['/bin/true'];
    Object.entries(who).forEach(([name, s], i) => {
      line([
        i === 0 ? row : '',
        name,
        s.median.toFixed(2),
        s.p95.toFixed(2),
        ...peers.map((p) => (who[p] ? (s.median / who[p].median).toFixed(2) : '–')),
        base ? (s.median / base.median).toFixed(2) : '–',
        (s.rss / 1024).toFixed(1),
      ]);
    });
  }
  process.stdout.write('(rows without a floor have /bin/true in its place)\n');
}
