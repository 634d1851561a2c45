/**
 * A supervisor that is killed: the next command that needs one starts another. Statuses are true where the kernel still
 * has them (Linux 6.15), else reported as lost.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { task } from '../../../src/shim/transport/protos.js';
import { elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { missing } from '../bed/needs.js';
import { runInside } from '../bed/pid-namespace.js';
import { programs } from '../bed/place.js';
import { type Engine, onEngine } from '../bed/shim-engine.js';
import { serve, TaskClient } from '../bed/task-client.js';

const test = needing('replaced supervisor', 'root', 'unshare');
const telling = needing('replaced supervisor and statuses of the kernel', 'root', 'unshare', 'linux-6.15');
const shim = needing('replaced supervisor of the shim', 'root', 'unshare', 'cgroups');
// A fork is interrupted.
const attacked = needing('replaced supervisor under attack', 'root', 'unshare', 'not-uml');
const filtered = needing('replaced supervisor that cannot start', 'root', 'unshare', 'programs');

/** Number of kills of a supervisor at random times. */
const rounds = Number(process.env.RUNT_ATTACK_ROUNDS ?? 20);

interface Recorded {
  pid: number;
  supervisor: { pid: number };
}
const recordIn = (state: string): Recorded => JSON.parse(readFileSync(join(state, 'state.json'), 'utf8'));
const supervisorIn = (state: string): number => recordIn(state).supervisor.pid;

/** Processes that supervise the container of a state directory. */
const supervisors = (state: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'runt-supervisor\n') return false;
        return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === state);
      } catch {
        return false;
      }
    });

async function killSupervisor(state: string): Promise<void> {
  const pid = supervisorIn(state);
  process.kill(pid, 'SIGKILL');
  await eventually('the end of the supervisor', () => hasEnded(pid));
}

/** A script that ends with a status when `go` is written. */
const onWord = (status: number, word = 'go'): string => `read x </${word}; exit ${status}`;

class Supervised {
  readonly state: string;

  constructor(
    readonly bed: Bed,
    script = 'exec sleep 1000',
  ) {
    this.state = join(bed.root, bed.id);
    this.word('go');
    bed.config.process.args = ['/bin/sh', '-c', script];
    const r = bed.run(['--detach', '--supervise']);
    assert.is(r.code, 0, r.stderr);
  }

  word(name: string): void {
    execFileSync('mkfifo', [join(this.bed.rootfs, name)]);
  }

  go(word = 'go'): void {
    writeFileSync(join(this.bed.rootfs, word), '\n');
  }

  /** Runs a detached exec and returns its pid. */
  exec(script: string): number {
    const file = join(this.bed.dir, 'pid');
    const r = this.bed.runt(['exec', '-d', '--pid-file', file, this.bed.id, '/bin/sh', '-c', script]);
    assert.is(r.code, 0, r.stderr);
    return Number(readFileSync(file, 'utf8'));
  }

  status(pid?: number): string {
    const r = this.bed.runt(['wait', ...(pid === undefined ? [] : ['--pid', String(pid)]), this.bed.id]);
    return r.code === 0 ? r.stdout.trim() : r.stderr;
  }
}

test(
  'after a kill between execs, exec and wait work, and the new supervisor is small and holds nothing open',
  onBed(async (bed) => {
    const s = new Supervised(bed);
    const { pid } = recordIn(s.state);
    for (let i = 0; i < 2; i++) {
      await killSupervisor(s.state);
      assert.is(s.status(s.exec(`exit ${3 + i}`)), String(3 + i));
      assert.is(recordIn(s.state).pid, pid);
      const heir = supervisorIn(s.state);
      assert.equal(supervisors(s.state), [heir]);
      const open = readdirSync(`/proc/${heir}/fd`).map((fd) => readlinkSync(`/proc/${heir}/fd/${fd}`));
      const own = open.filter((f) => f !== '/dev/null' && f !== s.state);
      for (const f of own) assert.match(f, /^(socket:|anon_inode:\[(signalfd|pidfd)\]|pidfd:)/);
      assert.match(readFileSync(`/proc/${heir}/stat`, 'utf8'), new RegExp(`^${heir} .* S \\d+ ${heir} ${heir} `));
      const pss = Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${heir}/smaps_rollup`, 'utf8'))?.[1]);
      assert.ok(pss > 0 && pss < 1024, `${pss} kB`);
    }
    assert.is(bed.runt(['exec', bed.id, '/bin/sh', '-c', 'exit 6']).code, 6);
    assert.is(bed.state().status, 'running');
    const heir = supervisorIn(s.state);
    assert.is(bed.delete('--force').code, 0);
    await eventually('the end of the heir', () => hasEnded(heir));
  }),
);

telling(
  "after kills during an exec, the exec's status is true and reported once",
  onBed(async (bed) => {
    const s = new Supervised(bed);
    const pid = s.exec(onWord(4));
    await killSupervisor(s.state);
    const waiting = bed.spawn(['wait', '--pid', String(pid), bed.id]);
    await eventually('an heir', () => !hasEnded(supervisorIn(s.state)));
    await killSupervisor(s.state);
    assert.is(s.status(s.exec('exit 5')), '5');
    s.go();
    const r = await waiting.exit;
    assert.equal([r.code, r.stdout], [0, '4\n'], r.stderr);
    assert.match(s.status(pid), 'no exec with pid');
    // No command waits for this one when it ends.
    const unseen = s.exec(onWord(7));
    await killSupervisor(s.state);
    assert.is(s.status(s.exec('exit 6')), '6');
    s.go();
    assert.is(s.status(unseen), '7');
    assert.is(bed.delete('--force').code, 0);
  }),
);

telling(
  "after kills before the container's end, waiting and later waits report the true status and time",
  onBed(async (bed) => {
    const s = new Supervised(bed, onWord(9));
    const waiting = bed.spawn(['wait', '--format', 'json', bed.id]);
    for (let i = 0; i < 2; i++) {
      const killed = supervisorIn(s.state);
      await eventually('the wait', () => /epoll|poll/.test(wchan(waiting.child.pid!)));
      process.kill(killed, 'SIGKILL');
      await eventually('an heir', () => supervisorIn(s.state) !== killed);
    }
    const before = Date.now();
    s.go();
    const r = await waiting.exit;
    const told = JSON.parse(r.stdout);
    assert.equal([told.status, told.signal, told.oom], [9, 0, false], r.stderr);
    assert.ok(Date.parse(told.exitedAt) >= before, told.exitedAt);
    assert.is(s.status(), '9');
    assert.is(bed.state().status, 'stopped');
    assert.is(bed.delete().code, 0);
  }),
);

const wchan = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'utf8');
  } catch {
    return '';
  }
};

telling(
  'an exec starts a new supervisor, which records the signal that ends the container',
  onBed(async (bed) => {
    const s = new Supervised(bed);
    await killSupervisor(s.state);
    assert.is(s.status(s.exec('exit 0')), '0');
    assert.is(bed.kill('KILL').code, 0);
    assert.is(s.status(), '137');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'wait reports a lost status of a container or exec that ended without a supervisor',
  onBed(async (bed) => {
    const s = new Supervised(bed);
    const pid = s.exec('exec sleep 1000');
    await killSupervisor(s.state);
    process.kill(pid, 'SIGKILL');
    await eventually('its parent has reaped it', () => !existsSync(`/proc/${pid}`));
    assert.match(s.status(pid), /status of process \d+ is lost: its supervisor ended first|no exec with pid/);
    const { pid: init } = recordIn(s.state);
    // The supervisor that was started for the exec.
    if (!hasEnded(supervisorIn(s.state))) await killSupervisor(s.state);
    process.kill(init, 'SIGKILL');
    await eventually('its parent has reaped it', () => !existsSync(`/proc/${init}`));
    assert.match(s.status(), 'the exit status of the container is lost: its supervisor ended first');
    const r = bed.runt(['exec', '-d', bed.id, 'true']);
    assert.match(r.stderr, 'cannot exec in a stopped container');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'ten concurrent execs without a supervisor share a new one',
  onBed(async (bed) => {
    const s = new Supervised(bed);
    await killSupervisor(s.state);
    const pids = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const file = join(bed.dir, `pid-${i}`);
        const r = await bed.spawn(['exec', '-d', '--pid-file', file, bed.id, '/bin/sh', '-c', `exit ${i}`]).exit;
        assert.is(r.code, 0, r.stderr);
        return Number(readFileSync(file, 'utf8'));
      }),
    );
    assert.equal(
      pids.map((pid) => s.status(pid)),
      pids.map((_, i) => String(i)),
    );
    assert.equal(supervisors(s.state), [supervisorIn(s.state)]);
    assert.is(bed.delete('--force').code, 0);
  }),
);

attacked(
  `after ${rounds} kills at random times, execs work or report why not, statuses are true and nothing hangs`,
  onBed(async (bed) => {
    const s = new Supervised(bed);
    let kills = 0;
    let over = false;
    const killer = async (): Promise<void> => {
      // The kills come at different times.
      for (; kills < rounds; await elapse(7 * (kills % 5))) {
        for (const pid of supervisors(s.state)) {
          try {
            process.kill(pid, 'SIGKILL');
            kills++;
          } catch {
            // It has ended meanwhile.
          }
        }
      }
      over = true;
    };
    let [right, lost] = [0, 0];
    const worker = async (which: number): Promise<void> => {
      for (let n = 0; !over; n++) {
        const file = join(bed.dir, `pid-${which}-${n}`);
        const status = (16 * n + which) % 251;
        const exec = bed.spawn(['exec', '-d', '--pid-file', file, bed.id, '/bin/sh', '-c', `exit ${status}`]);
        const r = await exec.exit;
        if (r.code !== 0) {
          // A process has the supervisor's name until it executes runt-init.
          assert.match(r.stderr, /supervisor|runt-init (was killed by signal 9|exited with status 255)/, r.stderr);
          continue;
        }
        const w = await bed.spawn(['wait', '--pid', readFileSync(file, 'utf8'), bed.id]).exit;
        if (w.code === 0) {
          assert.is(w.stdout, `${status}\n`);
          right++;
        } else {
          assert.match(w.stderr, /supervisor ended first|no exec with pid/);
          lost++;
        }
      }
    };
    await Promise.all([killer(), worker(1), worker(2), worker(3)]);
    assert.ok(right > 0, `${right} right, ${lost} lost`);
    assert.is(s.status(s.exec('exit 3')), '3');
    await eventually('one supervisor is left', () => supervisors(s.state).length === 1);
    assert.is(bed.delete('--force').code, 0);
    process.stdout.write(`\n# note ${kills} kills: ${right} statuses right, ${lost} lost\n`);
  }),
);

filtered(
  'when a supervisor cannot be started, exec names the failed step, and the next exec works',
  onBed(async (bed) => {
    const s = new Supervised(bed);
    await killSupervisor(s.state);
    const filter = join(programs, 'filter');
    const r = bed.runt(['exec', '-d', bed.id, 'true'], { wrapped: [filter, 'setsid=1', '--'] });
    assert.is(r.code, 255);
    assert.match(r.stderr, /start the supervisor: setsid: EPERM/);
    assert.equal(supervisors(s.state), []);
    assert.is(s.status(s.exec('exit 3')), '3');
    assert.is(bed.delete('--force').code, 0);
  }),
);

/** The same through a task service: `call` calls it, `state` is the container's state directory. */
interface Door {
  exec(execId: string, script: string): Promise<void>;
  wait(execId?: string): Promise<number>;
  over(): Promise<void>;
}

async function throughTaskService(bed: Bed, state: string, door: Door): Promise<void> {
  const other = (than: number) =>
    eventually('another supervisor, unasked', () => {
      const now = supervisorIn(state);
      return now !== than && !hasEnded(now);
    });
  for (const [i, status] of [3, 4].entries()) {
    await door.exec(`during-${i}`, onWord(10 + i, `during-${i}`));
    const killed = supervisorIn(state);
    process.kill(killed, 'SIGKILL');
    // Concurrently, so that either call may start the supervisor.
    await Promise.all([0, 1].map((n) => door.exec(`between-${i}-${n}`, `exit ${status + n}`)));
    await other(killed);
    for (const n of [0, 1]) assert.is(await door.wait(`between-${i}-${n}`), status + n);
    writeFileSync(join(bed.rootfs, `during-${i}`), '\n');
    assert.is(await door.wait(`during-${i}`), 10 + i);
  }
  // Concurrently with an exec, and then the container.
  await door.exec('last', 'exec sleep 1000');
  const last = supervisorIn(state);
  process.kill(last, 'SIGKILL');
  await other(last);
  process.kill(supervisorIn(state), 'SIGKILL');
  writeFileSync(join(bed.rootfs, 'go'), '\n');
  assert.is(await door.wait(), 9);
  assert.is(await door.wait('last'), 137);
  await door.over();
}

function words(bed: Bed): void {
  for (const word of ['go', 'during-0', 'during-1']) execFileSync('mkfifo', [join(bed.rootfs, word)]);
  bed.config.process.args = ['/bin/sh', '-c', onWord(9)];
  bed.write();
}

shim(
  "the shim starts a new supervisor at once and adopts the old one's children; statuses and events are true",
  onEngine(async (engine: Engine, bed) => {
    words(bed);
    engine.start();
    await engine.run();
    const state = `/run/containerd/runt/${engine.namespace}/${bed.id}`;
    await throughTaskService(bed, state, {
      async exec(execId, script) {
        await engine.exec(execId, ['/bin/sh', '-c', script]);
        await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId }));
      },
      wait: (execId) => engine.wait(execId),
      async over() {
        await engine.told('/tasks/exit', 8);
        assert.is(engine.topics.filter((topic) => topic === '/tasks/exit').length, 8);
        await engine.over();
      },
    });
  }),
);

const ended = (server: ChildProcess): Promise<void> =>
  new Promise((settle) => {
    server.once('exit', () => settle());
    server.kill('SIGTERM');
  });

shim(
  'runt serve starts a new supervisor at once too',
  onBed(async (bed) => {
    words(bed);
    const socket = join(bed.dir, 'api.sock');
    const server = await serve(bed, socket);
    const client = new TaskClient(socket);
    try {
      const { id, bundle } = bed;
      await client.call('Create', { id, bundle });
      await client.call('Start', { id });
      await throughTaskService(bed, join(bed.root, id), {
        async exec(execId, script) {
          const value = Buffer.from(JSON.stringify({ ...bed.config.process, args: ['/bin/sh', '-c', script] }));
          await client.call('Exec', { id, execId, spec: { value } });
          await client.call('Start', { id, execId });
        },
        wait: async (execId = '') => Number((await client.call('Wait', { id, execId })).exitStatus),
        async over() {
          await client.call('Delete', { id });
        },
      });
    } finally {
      client.close();
      await ended(server);
      bed.runt(['delete', '--force', bed.id]);
    }
  }),
);

// Process 1 of the machine may take seconds to reap what a supervisor has left.
if (process.env.RUNT_TEST_INSIDE === undefined && missing('root') === undefined && missing('unshare') === undefined) {
  process.exit(runInside('', { RUNT_TEST_INSIDE: '1' }, { stdio: 'inherit' }).status ?? 1);
}
telling.run();
test.run();
attacked.run();
filtered.run();
shim.run();
