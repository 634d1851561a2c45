/**
 * The status of each exec while the kernel reuses pids, in a pid namespace with a few hundred of them. The long form,
 * RUNT_EXECS=5000 RUNT_PID_MAX=1500, runs as many execs through each of the shim, the library, `runt serve` and the
 * command.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { runcOptions, task } from '../../../src/shim/transport/protos.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { runInside } from '../bed/pid-namespace.js';
import { top } from '../bed/place.js';
import { onEngine } from '../bed/shim-engine.js';
import { serve, TaskClient } from '../bed/task-client.js';

// Before Linux 6.14 kernel.pid_max applies to the whole machine.
const test = needing('exec statuses', 'root', 'unshare', 'cgroups', 'linux-6.14');

const execs = Number(process.env.RUNT_EXECS ?? 200);
/** The kernel accepts no less than 301, and does not reuse pids below 300. */
const pidMax = Number(process.env.RUNT_PID_MAX ?? 400);
/** The most unread records that a container keeps (docs/cli.md). */
const mostUnread = 1024;

/** Runs `execs` execs; `one` runs an exec that ends with a status, and returns the pid and the reported status. */
async function statuses(
  width: number,
  one: (n: number, status: number) => Promise<[pid: number, status: number | undefined]>,
): Promise<void> {
  const seen = new Set<number>();
  const wrong: string[] = [];
  let n = 0;
  let again = 0;
  const worker = async (): Promise<void> => {
    while (n < execs) {
      const mine = ++n;
      const expected = (7 * mine) % 251;
      const [pid, status] = await one(mine, expected);
      if (seen.has(pid)) again++;
      seen.add(pid);
      if (status !== undefined && status !== expected)
        wrong.push(`exec ${mine}, pid ${pid}: ${status}, not ${expected}`);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  assert.equal(wrong, []);
  assert.ok(again > execs / 50, `only ${again} of ${execs} pids were given again`);
  console.log(`\n# note ${execs} execs, ${again} with a reused pid`);
}

/** Names of the records; a record that is being written (`.json.tmp`) does not count. */
const records = (state: string): string[] => readdirSync(state).filter((name) => /^exec-.*\.json$/.test(name));

const sleeps = (bed: Bed): void => {
  bed.config.process.args = ['/bin/sleep', '100000'];
  bed.write();
};
const exits = (status: number): string[] => ['/bin/sh', '-c', `exit ${status}`];

/** Runs `exec --detach` and returns the pid. */
function detached(bed: Bed, script: string): number {
  const file = join(bed.dir, 'pid');
  const r = bed.runt(['exec', '-d', '--pid-file', file, bed.id, '/bin/sh', '-c', script]);
  assert.is(r.code, 0, r.stderr);
  return Number(readFileSync(file, 'utf8'));
}

const wait = (bed: Bed, pid: number) => bed.runt(['wait', '--pid', String(pid), bed.id]);

function supervised(bed: Bed): string {
  sleeps(bed);
  const r = bed.run(['--detach', '--supervise']);
  assert.is(r.code, 0, r.stderr);
  return join(bed.root, bed.id);
}

/** Execs that have ended with 3, whose records are unread. */
async function someEnded(bed: Bed): Promise<readonly number[]> {
  const state = supervised(bed);
  const pids = Array.from({ length: 10 }, () => detached(bed, 'exit 3'));
  const runs = (name: string): boolean => readFileSync(join(state, name), 'utf8').includes('"running"');
  await eventually('their ends', () => !records(state).some(runs));
  return pids;
}

/** Starts processes until one reuses the pid of an ended one; kills the others. */
async function reused(ended: readonly number[], begin: () => Promise<number>): Promise<number> {
  for (const pid of ended)
    for (let before = 1; before < 10; before++) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - before));
      const given = await begin();
      if (ended.includes(given)) return given;
      process.kill(given, 'SIGKILL');
    }
  throw new Error('no pid was given again');
}

/** The bodies that run in the small pid namespace. */
const doors: Readonly<Record<string, () => Promise<void>>> = {
  "the command reports each exec's status, with a third of them never read": onBed(async (bed) => {
    const state = supervised(bed);
    let unread = 0;
    await statuses(1, async (n, status) => {
      const pid = detached(bed, `exit ${status}`);
      if (n % 3 === 0) {
        unread++;
        return [pid, undefined];
      }
      const r = wait(bed, pid);
      assert.is(r.code, 0, r.stderr);
      return [pid, Number(r.stdout)];
    });
    const left = records(state).length;
    // Some of the newest records were read since they were last counted.
    if (unread < mostUnread) assert.is(left, unread);
    else assert.ok(left <= mostUnread && left > mostUnread - 100, `${left} records`);
    bed.delete('--force');
  }),

  'wait --pid of a running exec ignores the record of an ended one with its pid': onBed(async (bed) => {
    const ended = await someEnded(bed);
    const go = join(bed.rootfs, 'go');
    execFileSync('mkfifo', [go]);
    const pid = await reused(ended, async () => detached(bed, 'read x </go; exit 4'));
    const waiting = bed.spawn(['wait', '--pid', String(pid), bed.id]);
    await eventually('the wait', () => waiting.stdout() !== '' || isAsleep(waiting.child.pid!));
    assert.is(waiting.stdout(), '', 'it answers for a process that runs');
    writeFileSync(go, '');
    const r = await waiting.exit;
    assert.equal([r.code, r.stdout], [0, '4\n'], r.stderr);
    bed.delete('--force');
  }),

  'wait --pid fails if another process of the container has the pid now': onBed(async (bed) => {
    const ended = await someEnded(bed);
    const file = join(bed.dir, 'foreground');
    // Not the supervisor's child, and so without a record.
    const pid = await reused(ended, () => {
      writeFileSync(file, '');
      void bed.spawn(['exec', '--pid-file', file, bed.id, '/bin/sleep', '1000']);
      return eventually('a pid', () => Number(readFileSync(file, 'utf8')) || false);
    });
    const r = wait(bed, pid);
    assert.is(r.code, 1, r.stdout);
    assert.match(r.stderr, `the exec with pid ${pid} has ended, and another process of the container has its pid now`);
    process.kill(pid, 'SIGKILL');
    await eventually('its end', () => wait(bed, pid).stdout === '3\n');
    assert.match(wait(bed, pid).stderr, `no exec with pid ${pid} is recorded`);
    bed.delete('--force');
  }),

  "the library reports each exec's status": onBed(async (bed) => {
    const { Runtime } = (await import(resolve(top, 'dist/index.js'))) as typeof Library;
    sleeps(bed);
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    const container = await new Runtime({ root: bed.root }).create(bed.id, bed.bundle, { stdio });
    await container.start();
    await statuses(4, async (_, status) => {
      const { pid, exit } = await container.exec(exits(status), { stdio });
      return [pid, (await exit).status];
    });
    assert.equal(records(join(bed.root, bed.id)), []);
    await container.delete({ force: true });
  }),

  "the shim reports each exec's status": onEngine(async (engine, bed) => {
    sleeps(bed);
    engine.start();
    await engine.run();
    await statuses(4, async (n, status) => {
      const which = { id: bed.id, execId: `e${n}` };
      await engine.exec(which.execId, exits(status));
      const { pid } = await engine.call('Start', task.StartRequest.encode(which), task.StartResponse);
      const ended = await engine.wait(which.execId);
      await engine.call('Delete', task.DeleteRequest.encode(which));
      return [pid, ended];
    });
    assert.equal(records(`/run/containerd/runt/${engine.namespace}/${bed.id}`), []);
    await engine.over();
  }),

  'Pids of the shim names the exec that has a pid now, not an ended one': onEngine(async (engine, bed) => {
    sleeps(bed);
    engine.start();
    await engine.run();
    const started = async (execId: string): Promise<number> => {
      const which = task.StartRequest.encode({ id: bed.id, execId });
      return (await engine.call('Start', which, task.StartResponse)).pid;
    };
    let n = 0;
    for (let i = 0; i < 90; i++) await engine.exec(`early-${i}`, ['/bin/sleep', '1000']);
    const ended: number[] = [];
    for (let i = 0; i < 10; i++) {
      await engine.exec(`late-${i}`, exits(3));
      ended.push(await started(`late-${i}`));
      assert.is(await engine.wait(`late-${i}`), 3);
    }
    const pid = await reused(ended, () => started(`early-${n++}`));
    const { processes } = await engine.call('Pids', task.PidsRequest.encode({ id: bed.id }), task.PidsResponse);
    const value = processes.find((process) => process.pid === pid)?.info?.value;
    assert.is(value && runcOptions.ProcessDetails.decode(value as Uint8Array).execId, `early-${n - 1}`);
    await engine.over();
  }),

  "runt serve reports each exec's status": onBed(async (bed) => {
    sleeps(bed);
    const socket = join(bed.dir, 'api.sock');
    const server = await serve(bed, socket);
    const client = new TaskClient(socket);
    try {
      const { id, bundle } = bed;
      await client.call('Create', { id, bundle });
      await client.call('Start', { id });
      await statuses(4, async (n, status) => {
        const which = { id, execId: `e${n}` };
        const value = Buffer.from(JSON.stringify({ ...bed.config.process, args: exits(status) }));
        await client.call('Exec', { ...which, spec: { value } });
        const { pid } = await client.call('Start', which);
        const { exitStatus } = await client.call('Wait', which);
        await client.call('Delete', which);
        return [Number(pid), Number(exitStatus)];
      });
      assert.equal(records(join(bed.root, id)), []);
    } finally {
      client.close();
      await end(server);
      bed.runt(['delete', '--force', bed.id]);
    }
  }),
};

/** Whether the process sleeps in the kernel. */
const isAsleep = (pid: number): boolean => {
  try {
    return /epoll|poll/.test(readFileSync(`/proc/${pid}/wchan`, 'utf8'));
  } catch {
    return false;
  }
};

const end = (server: ChildProcess): Promise<void> =>
  new Promise((settle) => {
    server.once('exit', () => settle());
    server.kill('SIGTERM');
  });

const inside = process.env.RUNT_TEST_DOOR;
if (inside !== undefined) {
  await doors[inside]!();
  process.exit(0);
}

for (const name of Object.keys(doors)) {
  test(`in a small pid space, ${name}`, () => {
    const before = readFileSync('/proc/sys/kernel/pid_max', 'utf8');
    const few = `echo ${pidMax} >/proc/sys/kernel/pid_max &&`;
    const timeout = COMMAND_LIMIT * Math.max(1, execs / 500);
    const r = runInside(few, { RUNT_TEST_DOOR: name }, { encoding: 'utf8', timeout, killSignal: 'SIGKILL' });
    assert.is(r.status, 0, `${r.stdout}${r.stderr}`);
    assert.is(readFileSync('/proc/sys/kernel/pid_max', 'utf8'), before);
    for (const [line] of r.stdout.matchAll(/^# note .*$/gm)) console.log(`\n${line}`);
  });
}

test.run();
