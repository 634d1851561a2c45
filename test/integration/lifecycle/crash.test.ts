/**
 * Each command is killed at many times: `state` and `list` report the true state, and `delete --force` removes
 * everything.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmdirSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed, processesOf } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { defaultConfig, withUserNamespace } from '../bed/config.js';

const test = needing('crash', 'root');

/** Number of kills for all commands together; `make test-all` sets 200. */
const all = Number(process.env.RUNT_MOMENTS ?? 50);

/** Busy-waits `us` microseconds: timers are too coarse for a program that runs a few milliseconds. */
function spin(us: number): void {
  const until = process.hrtime.bigint() + BigInt(Math.round(us)) * 1000n;
  while (process.hrtime.bigint() < until);
}

/** Runs a command and kills it after `us` microseconds; returns whether it was still running. */
async function cut(bed: Bed, args: readonly string[], us: number): Promise<boolean> {
  const call = bed.spawn(args);
  spin(us);
  call.child.kill('SIGKILL');
  return (await call.exit).signal === 'SIGKILL';
}

/** How long a command takes, in microseconds. */
async function duration(bed: Bed, args: readonly string[]): Promise<number> {
  const from = process.hrtime.bigint();
  const call = bed.spawn(args);
  const r = await call.exit;
  assert.is(r.code, 0, r.stderr);
  return Number((process.hrtime.bigint() - from) / 1000n);
}

const fileOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
};

/** Whether a process still executes runt-init: it waits for start, or is on its way into the container. */
const isInit = (pid: number): boolean => fileOf(pid).includes('memfd:runt-init');
const isSupervisor = (pid: number): boolean => comm(pid) === 'runt-supervisor';
const comm = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
};

/** Supervisors of the container: each has its state directory open, even a removed one. */
const supervisorsOf = (bed: Bed, id: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^[0-9]+$/.test(pid) || !isSupervisor(Number(pid))) return false;
    try {
      const dir = join(bed.root, id);
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).split(' ')[0] === dir);
    } catch {
      return false;
    }
  });

/** Processes in the container's cgroups. */
const inCgroups = (id: string): number[] => [
  ...new Set(
    cgroupsNamed(id).flatMap((path) => {
      try {
        return readFileSync(`${path}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
      } catch {
        return [];
      }
    }),
  ),
];

type Status = 'none' | 'corrupt' | 'creating' | 'created' | 'running' | 'stopped';

/** The result of `state`; asserts that `list` has the same. */
function status(bed: Bed, id: string): { status: Status; pid: number } {
  const list = bed.runt(['list', '--format', 'json']);
  assert.is(list.code, 0, list.stderr);
  const listed = (JSON.parse(list.stdout || '[]') as { id: string; status: Status; pid: number }[] | null)?.find(
    (c) => c.id === id,
  );
  const r = bed.runt(['state', id]);
  if (r.code !== 0) {
    assert.is(listed, undefined, `list has it, state says: ${r.stderr}`);
    if (/container does not exist/.test(r.stderr)) return { status: 'none', pid: 0 };
    assert.match(r.stderr, /its create or delete was killed/);
    return { status: 'corrupt', pid: 0 };
  }
  const told = JSON.parse(r.stdout) as { status: Status; pid: number };
  assert.ok(listed, 'state has it, list has not');
  return { status: told.status, pid: told.pid };
}

/** Waits until `state` matches the processes: a killed command must not leave anything half done. */
async function settled(bed: Bed, id: string, when: string): Promise<Status> {
  const told = await eventually(`state and list tell the truth of ${id}, ${when}`, () => {
    const now = status(bed, id);
    const pids = inCgroups(id).filter((pid) => !isSupervisor(pid));
    switch (now.status) {
      case 'creating':
        return false;
      case 'created':
        return isInit(now.pid) && pids.every((pid) => pid === now.pid) && now;
      case 'running':
        return fileOf(now.pid) !== '' && !pids.some(isInit) && now;
      default:
        return pids.length === 0 && now;
    }
  });
  return told.status;
}

/** Runs `delete --force` and asserts that nothing is left. */
async function gone(bed: Bed, id: string, when: string): Promise<void> {
  const removed = bed.runt(['delete', '--force', id]);
  assert.is(removed.code, 0, `${when}: ${removed.stderr}`);
  assert.is(bed.runt(['state', id]).code, 1);
  assert.equal(cgroupsNamed(id), [], when);
  assert.not.ok(existsSync(join(bed.root, id)), when);
  await eventually(`nothing of ${id} runs, ${when}`, () => processesOf({ ...bed.mark, id }).length === 0);
  await eventually(`the supervisor of ${id} ends, ${when}`, () => supervisorsOf(bed, id).length === 0);
}

/** Whether a process has a socket open; false for one that has ended. */
const hasSocket = (pid: number): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'));
  } catch {
    return false;
  }
};

/** Variants of the container, or of the call. */
const variants: Record<string, { flags?: string[]; change?: (bed: Bed) => void }> = {
  plain: {},
  'a user namespace': { change: (bed) => withUserNamespace(bed.config) },
  hooks: {
    change: (bed) => {
      const hook = [{ path: '/bin/sh', args: ['sh', '-c', 'exec sleep 0.002'] }];
      bed.config.hooks = {
        prestart: hook,
        createRuntime: hook,
        createContainer: hook,
        startContainer: hook,
        poststart: hook,
        poststop: hook,
      };
    },
  },
  'a supervisor': { flags: ['--supervise'] },
  'a shared pid namespace': {
    change: (bed) => {
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    },
  },
};

/** The arguments of each command, and what must exist before it. */
const commands: Record<
  string,
  { before: 'nothing' | 'created' | 'running'; args: (id: string, i: number) => string[] }
> = {
  create: { before: 'nothing', args: () => [] },
  run: { before: 'nothing', args: () => [] },
  start: { before: 'created', args: (id) => ['start', id] },
  exec: {
    before: 'running',
    args: (id, i) => ['exec', ...(i % 2 ? ['--detach'] : []), id, ...(i % 3 ? ['/true'] : ['/bin/sleep', '1000'])],
  },
  delete: { before: 'running', args: (id) => ['delete', '--force', id] },
};

/** Kills of each command with each variant. */
const share = Math.ceil(all / Object.keys(commands).length / Object.keys(variants).length);
const moments = share * Object.keys(variants).length;

for (const [command, { before, args }] of Object.entries(commands)) {
  test(
    `${command} can be killed at any time, and delete --force removes what it leaves`,
    onBed(async (bed) => {
      let [cuts, number] = [0, 0];
      const seen: Record<string, number> = {};
      for (const [name, { flags = [], change }] of Object.entries(variants)) {
        bed.config = defaultConfig();
        bed.config.process.args = ['/bin/sleep', '1000'];
        change?.(bed);
        bed.write();
        const ok = (...a: string[]): void => {
          const r = bed.runt(a);
          assert.is(r.code, 0, r.stderr);
        };
        /** Prepares a new container as far as the command needs it; returns the command's arguments. */
        const next = (): { id: string; line: string[] } => {
          const id = `${bed.id}-${command}-${++number}`;
          const bring = ['--bundle', bed.bundle, ...flags, id];
          if (before !== 'nothing') ok('create', ...bring);
          if (before === 'running') ok('start', id);
          if (command === 'run') return { id, line: ['run', ...(number % 2 ? ['--detach'] : []), ...bring] };
          return { id, line: before === 'nothing' ? [command, ...bring] : args(id, number) };
        };
        // The first run is not killed, but measured. It must be one that ends.
        let first = next();
        while (first.line.includes('1000') || (command === 'run' && !first.line.includes('--detach'))) {
          await gone(bed, first.id, 'not used');
          first = next();
        }
        let whole = await duration(bed, first.line);
        await gone(bed, first.id, 'not killed');
        // A kill after the command's end proves little: the command takes less time, so more kills follow, within
        // limits.
        const enough = cuts + share / 4;
        for (let i = 0; i < share || (cuts < enough && i < 5 * share); i++) {
          const { id, line } = next();
          const us = Math.random() * whole * 1.1;
          const when = `${line[0]} with ${name} killed after ${us.toFixed(0)} of ${whole} µs`;
          if (await cut(bed, line, us)) cuts++;
          else whole = Math.min(whole, us);
          const now = await settled(bed, id, when);
          // A child that has not yet executed runt-init looks like a supervisor.
          if (now === 'running' && name === 'a supervisor')
            await eventually(`one supervisor, ${when}`, () => supervisorsOf(bed, id).length === 1);
          seen[now] = (seen[now] ?? 0) + 1;
          if (command === 'exec') assert.is(now, 'running', when);
          if (now === 'created' && i % 2) {
            // The killed start may have reached runt-init: then the process is starting now.
            const again = bed.runt(['start', id]);
            assert.ok(again.code === 0 || /in the starting state|an already running/.test(again.stderr), again.stderr);
            await eventually(`it runs, ${when}`, () => bed.runt(['state', id]).stdout.includes('"running"'));
          }
          // A container that does not exist or never started can be deleted without --force too.
          if (now === 'stopped' && i % 2) ok('delete', id);
          await gone(bed, id, when);
        }
      }
      process.stdout.write(
        `\n# note ${command}: ${cuts} of ${moments} killed in the middle; then ${JSON.stringify(seen)}\n`,
      );
      // With one CPU a short command has mostly ended before this process runs again.
      const least = availableParallelism() > 1 ? moments / 4 : 0;
      assert.ok(cuts >= least, `${cuts} of ${moments} were still running when they were killed`);
    }),
  );
}

for (const point of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'] as const) {
  test(
    `when runt is killed during a ${point} hook, the hook ends, at the latest with the container`,
    onBed(async (bed) => {
      const seconds = String(100_000 + Math.floor(Math.random() * 100_000));
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.config.hooks = { [point]: [{ path: '/bin/sleep', args: ['sleep', seconds] }] };
      bed.write();
      const late = point === 'startContainer' || point === 'poststart';
      if (late) assert.is(bed.create().code, 0);
      const hooks = (): string[] =>
        readdirSync('/proc').filter((pid) => {
          try {
            return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${seconds}\0`;
          } catch {
            return false;
          }
        });
      const call = bed.spawn(late ? ['start', bed.id] : ['create', '--bundle', bed.bundle, bed.id]);
      await eventually('the hook runs', () => hooks().length === 1);
      call.child.kill('SIGKILL');
      await call.exit;
      const inside = point === 'createContainer' || point === 'startContainer';
      if (!inside) await eventually('the hook ends', () => hooks().length === 0);
      const expected = { poststart: 'running', startContainer: 'created', createContainer: 'creating' };
      const want = expected[point as keyof typeof expected] ?? 'stopped';
      await eventually(`it is ${want}`, () => status(bed, bed.id).status === want);
      await gone(bed, bed.id, point);
      await eventually('the hook ends', () => hooks().length === 0);
    }),
  );
}

/**
 * A container whose delete was killed before its poststop hook: the file that the hook writes, and the directory that
 * is locked.
 */
function deletedHalf(bed: Bed): { said: string; kept: string } {
  const said = join(bed.dir, 'said');
  bed.config.hooks = { poststop: [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${said}`] }] };
  bed.write();
  bed.create();
  bed.kill('KILL');
  bed.until('stopped');
  const kept = join(bed.root, '.deleted', bed.id);
  mkdirSync(kept, { recursive: true });
  renameSync(join(bed.root, bed.id, 'state.json'), join(kept, 'state.json'));
  return { said, kept };
}

test(
  'after a delete killed between removing the record and the directory, the next one runs the poststop hooks',
  onBed((bed) => {
    const { said } = deletedHalf(bed);
    const r = bed.delete('--force');
    assert.is(r.code, 0, r.stderr);
    assert.is(JSON.parse(readFileSync(said, 'utf8')).status, 'stopped');
    for (const name of cgroupsNamed(bed.id)) rmdirSync(name);
  }),
);

test(
  'the next delete waits while the child of a killed delete holds the lock, then runs the hooks',
  onBed(async (bed) => {
    const { said, kept } = deletedHalf(bed);
    const child = spawn('flock', ['--no-fork', kept, 'sh', '-c', 'echo locked; exec sleep 0.5']);
    await once(child.stdout, 'data');
    const r = bed.delete('--force');
    assert.is(r.code, 0, r.stderr);
    assert.is(JSON.parse(readFileSync(said, 'utf8')).status, 'stopped');
    for (const name of cgroupsNamed(bed.id)) rmdirSync(name);
  }),
);

test(
  'a delete after a killed delete removes the rest',
  onBed(async (bed) => {
    for (let i = 0; i < 12; i++) {
      bed.started();
      const call = bed.spawn(['delete', '--force', bed.id]);
      spin(i * 300);
      call.child.kill('SIGKILL');
      await call.exit;
      const again = bed.delete('--force');
      assert.is(again.code, 0, again.stderr);
      assert.equal(cgroupsNamed(bed.id), []);
    }
  }),
);

test(
  'of two concurrent deletes both end, and one may report that the container is gone',
  onBed(async (bed) => {
    for (let i = 0; i < 5; i++) {
      bed.started();
      const both = [bed.spawn(['delete', '--force', bed.id]), bed.spawn(['delete', '--force', bed.id])];
      for (const r of await Promise.all(both.map(({ exit }) => exit))) assert.is(r.code, 0, r.stderr);
    }
  }),
);

test(
  'when a start is killed after connecting, the container starts all the same, and the next start is refused',
  onBed(async (bed) => {
    for (const hook of [false, true]) {
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.config.hooks = hook ? { startContainer: [{ path: '/bin/sleep', args: ['sleep', '1000'] }] } : {};
      bed.write();
      assert.is(bed.create().code, 0);
      const { pid } = bed.state();
      // While stopped, it accepts neither connection, so that both are queued.
      process.kill(pid, 'SIGSTOP');
      const killed = connect(join(bed.root, bed.id, 'start.sock'));
      await once(killed, 'connect');
      killed.destroy();
      const other = bed.spawn(['start', bed.id]);
      await eventually('the other start waits', () => hasSocket(other.child.pid as number));
      process.kill(pid, 'SIGCONT');
      const r = await other.exit;
      assert.is(r.code, 1);
      const words = hook ? /in the starting state/ : /in the starting state|an already running/;
      assert.match(r.stderr, words);
      await eventually('its status is true', () => bed.state().status === (hook ? 'created' : 'running'));
      assert.is(bed.delete('--force').code, 0);
    }
  }),
);

test(
  "start fails and delete works if the container's process was killed before start",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    assert.is(bed.create().code, 0);
    process.kill(bed.state().pid, 'SIGKILL');
    bed.until('stopped');
    const r = bed.start();
    assert.is(r.code, 1);
    assert.match(r.stderr, /^runt: /);
    assert.is(bed.delete().code, 0);
  }),
);

test.run();
