/** The rows of the bench: docs/bench.md says what each one is. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
// For the rows in which nothing but time passes.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  addDeviceRules,
  addMounts,
  addProfile,
  addSeccompRules,
  makeBundle,
  padTo,
  rootfsWithTargets,
  withoutCgroups,
} from './bundles.mjs';
import { Containerd, podman } from './engines.mjs';
import { compile, top } from './machine.mjs';
import { measure, PAUSE, syscalls } from './measure.mjs';

/**
 * Measures all rows, and calls `done(row, {name: summary})` for each.
 * @param commands of commands.mjs; o: rounds, quick, kept (numbers of containers), spec (a program), rootfs, log;
 * `wants(row)` chooses
 */
export async function measureRows(commands, o, done) {
  const { work } = commands;
  const names = Object.keys(commands.programs);
  const all = [...names, 'floor'];
  const few = Math.ceil(o.rounds / 3);
  const source = join(work, 'source');
  mkdirSync(source);
  const bundle = (name, args = ['/true'], change = undefined, rootfs = o.rootfs) =>
    makeBundle(join(work, name), o.spec, rootfs, args, change);
  const plain = bundle('true');
  const sleeper = bundle('sleep', ['/bin/sleep', '10000']);
  // The floor expects its rootfs beside the config.
  execFileSync('ln', ['-s', o.rootfs, join(plain, 'rootfs')]);
  const most = o.quick ? 100 : 2000;
  const targets = rootfsWithTargets(join(work, 'targets'), o.rootfs, most);

  /** A row of `who`: a contender that cannot do it (a runtime without a flag, a config too large) is left out. */
  const row = (name, who, make, options = {}) => {
    if (!o.wants(name)) return;
    const able = {};
    const leaveOut = (each, error) => {
      delete able[each];
      process.stdout.write(`bench: ${name}: ${each} is left out: ${lastLine(error.message)}\n`);
      commands.sweep();
    };
    for (const each of who) {
      able[each] = make(each);
      try {
        measure({ [each]: able[each] }, { rounds: 1, warmup: 0, log: o.log, pause: 0 });
      } catch (error) {
        leaveOut(each, error);
      }
    }
    // Some fail only beside others.
    while (Object.keys(able).length > 0) {
      try {
        return done(name, measure(able, { rounds: o.rounds, log: o.log, ...options }));
      } catch (error) {
        if (!error.contender || error.contender === 'runt') throw error;
        leaveOut(error.contender, error);
      }
    }
  };
  const steps = (name) => commands.threeSteps(name, plain);
  const run = (from) => (name) => commands.run(name, from);

  row('create + start + delete', all, steps);
  row('create + start + delete, back to back', all, steps, { pause: 0 });
  row('start alone', all, steps, { pause: 0, step: 1, rounds: o.quick ? o.rounds : 1000 });
  row('run', all, run(plain));
  row('run, back to back', all, run(plain), { pause: 0 });
  const batch = o.quick ? 16 : 200;
  for (const parallel of [1, 2, 8]) {
    row(`run, ${parallel} at a time`, all, run(plain), { rounds: o.quick ? 1 : 3, count: batch, parallel, pause: 0 });
  }
  const bare = bundle('bare', ['/true'], withoutCgroups);
  row('run without cgroups', names, (name) => commands.run(name, bare, ['--cgroup-manager', 'disabled']));

  const beside = (name, make, options = {}, of = names) => {
    row(name, [...of, '/bin/true'], (who) => [who === '/bin/true' ? ['/bin/true'] : make(who)], options);
  };
  const often = { rounds: o.rounds * (o.quick ? 1 : 4), pause: o.quick ? 0 : PAUSE };
  beside('--version', (name) => [commands.programs[name], '--version'], often);
  beside('features', (name) => [commands.programs[name], 'features'], often);
  // Some cannot make a container beside another one.
  const keepers = names.filter((name) => {
    try {
      commands.keep(name, `sleeper-${name}`, sleeper);
      return true;
    } catch (error) {
      if (name === 'runt') throw error;
      process.stdout.write(`bench: state and exec: ${name} is left out: ${lastLine(commands.kept(name))}\n`);
      return false;
    }
  });
  const exec = (name) => commands.call(name, ['exec', `sleeper-${name}`, '/true']);
  beside('state', (name) => commands.call(name, ['state', `sleeper-${name}`]), often, keepers);
  beside('exec', exec, {}, keepers);
  beside('exec, back to back', exec, { pause: 0 }, keepers);
  commands.sweep();

  const confined = bundle(
    'confined',
    ['/true'],
    (config) => {
      addProfile(config, top);
      addMounts(config, 20, source);
    },
    targets,
  );
  row('profile and 20 mounts', names, (name) => commands.threeSteps(name, confined));
  row('the same, cold cache', names, (name) => commands.threeSteps(name, confined, true), { rounds: few });

  const sized = (what, sizes, change) => {
    for (const size of sizes) {
      const name = `${size} ${what}`;
      if (!o.wants(name)) continue;
      const from = bundle(name.replaceAll(' ', '-'), ['/true'], (config) => change(config, size), targets);
      row(name, names, run(from), { rounds: few });
    }
  };
  sized('mounts', o.quick ? [100] : [10, 100, 500, 2000], (config, n) => addMounts(config, n, source));
  sized('device rules', o.quick ? [100] : [10, 500, 2000], addDeviceRules);
  sized('seccomp rules', o.quick ? [] : [10, 100, 1000], addSeccompRules);
  sized('KB of config', o.quick ? [] : [3, 66, 1000, 6000], (config, n) => padTo(config, n * 1000));

  for (const count of o.quick ? [] : [0, 1000, 4000]) {
    const dir = join(work, `mounts-${count}`);
    mkdirSync(dir);
    execFileSync(compile('many-mounts'), [dir, String(count)]);
    try {
      row(`run, ${count} mounts on the host`, all, run(plain), { rounds: few });
    } finally {
      execFileSync('umount', ['--lazy', dir]);
    }
  }

  await rowsOfEngines(commands, o, names, row);

  if (o.wants('waiting')) done('waiting', await waiting(commands, sleeper));
  if (o.wants('system calls')) {
    const counted = {};
    for (const name of all) counted[name] = { calls: syscalls(commands.run(name, plain), `calls-${name}`) };
    done('system calls of run', counted);
  }
  if (commands.programs.runt) rowsOfMany(commands, { ...o, sleeper, plain, few, all }, row);
}

const lastLine = (text) => text.trim().split('\n').at(-1);

/** What an engine's `run --rm` takes with each runtime, and with runt's own shim. */
async function rowsOfEngines({ programs, work }, o, names, row) {
  const wanted = ['podman run --rm', 'ctr run --rm', "ctr run --rm, runt's shim"].filter(o.wants);
  if (o.quick || wanted.length === 0) return;
  // podman writes into it.
  const rootfs = rootfsWithTargets(join(work, 'engines'), o.rootfs, 0);
  const rounds = Math.ceil(o.rounds / 3);
  const podmanRun = wanted.includes('podman run --rm') && podman(work, rootfs);
  if (podmanRun) row('podman run --rm', names, (name) => podmanRun(programs[name]), { rounds });
  const containerd =
    wanted.some((name) => name.startsWith('ctr')) && (await Containerd.start(work, programs[names[0]]));
  if (!containerd) return;
  try {
    const byRunc = (name) => containerd.run(rootfs, '--runc-binary', programs[name]);
    const own = (name) =>
      name === 'runt' ? containerd.run(rootfs, '--runtime', 'io.containerd.runt.v1') : byRunc(name);
    row('ctr run --rm', names, byRunc, { rounds });
    row("ctr run --rm, runt's shim", names, own, { rounds });
  } finally {
    await containerd.stop();
  }
}

/** Beside 1, 100, … containers of runt's: what one more costs, and `state` and `list`. */
function rowsOfMany(commands, o, row) {
  let there = 0;
  for (const count of o.kept) {
    if (![`one more, ${count} kept`, `state, ${count} kept`, `list, ${count} kept`].some(o.wants)) continue;
    for (; there < count; there++) commands.keep('runt', `kept-${there}`, o.sleeper);
    row(`one more, ${count} kept`, o.all, (name) => commands.threeSteps(name, o.plain), { rounds: o.few });
    for (const [verb, args] of [
      ['state', ['state', 'kept-0']],
      ['list', ['list', '--quiet']],
    ]) {
      row(`${verb}, ${count} kept`, ['runt', '/bin/true'], (name) => [
        name === 'runt' ? commands.call('runt', args) : ['/bin/true'],
      ]);
    }
  }
  commands.sweep();
}

/** The private memory of a `run` in the foreground that waits for its container. */
async function waiting(commands, sleeper) {
  const found = {};
  for (const name of Object.keys(commands.programs)) {
    const id = `waiting-${name}`;
    const [program, ...args] = commands.call(name, ['run', '--bundle', sleeper, id]);
    // Files: crun changes the owner of its stdio.
    const out = openSync(join(commands.work, 'waiting'), 'w');
    const child = spawn(program, args, { stdio: ['ignore', out, out] });
    closeSync(out);
    const ended = new Promise((resolve) => child.on('close', resolve));
    // A command that waits returns memory when it is idle.
    await sleep(1000);
    if (child.exitCode !== null && name !== 'runt') {
      process.stdout.write(`bench: waiting: ${name} is left out: exit ${child.exitCode}\n`);
      continue;
    }
    const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
    const field = (key) => Number(new RegExp(`^${key}: *(\\d+) kB`, 'm').exec(rollup)[1]);
    found[name] = { private: field('Private_Clean') + field('Private_Dirty'), pss: field('Pss') };
    execFileSync(...split(commands.call(name, ['kill', id, 'KILL'])));
    await ended;
  }
  return found;
}

const split = ([program, ...args]) => [program, args];
