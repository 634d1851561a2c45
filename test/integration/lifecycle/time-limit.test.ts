/** `--timeout` of `run` and `exec`: who ends the process, and what the command and the record say of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed, type Result } from '../bed/bed.js';

const test = needing('time limits', 'root');
const freezing = needing('time limits of a paused container', 'root', 'cgroups');

const loop = 'while :; do sleep 0.05; done';
const obeys = `trap "echo TERM; exit 7" TERM; ${loop}`;
const ignores = `trap "echo TERM" TERM; ${loop}`;

/** Runs a script in the foreground. */
const run = (bed: Bed, script: string, ...flags: string[]): Result => bed.sh(script, flags);

/** Repeats a call that a busy machine may have given too little of its short time. @returns the last result */
function repeated(call: () => Result, isSound: (r: Result) => boolean): Result {
  for (let tries = 5; ; tries--) {
    const r = call();
    if (tries === 1 || isSound(r)) return r;
  }
}

/** The shell had set its trap. */
const isTrapped = ({ stdout }: Result): boolean => stdout === 'TERM\n';

/** The result of a command whose time has passed. */
function timedOut(r: Result, what: string, seconds: number): void {
  assert.equal([r.code, r.signal], [124, null], r.stderr);
  assert.is(r.stderr, `runt: ${what}: it ran for longer than ${seconds} s, and was ended\n`);
}

const isGone = (bed: Bed): boolean => !existsSync(join(bed.root, bed.id)) && cgroupsNamed(bed.id).length === 0;

// A command becomes a waiter after 200 ms, but not one that waits for a supervisor.
for (const [name, timeout, seconds, flags] of [
  ['as it is', '100ms', 0.1, []],
  ['as a waiter', '600ms', 0.6, []],
  ['with a supervisor', '600ms', 0.6, ['--supervise']],
] as const) {
  test(
    `a foreground run that waits ${name} sends TERM, then KILL, and exits with 124`,
    onBed((bed) => {
      const limit = ['--timeout', timeout, '--stop-timeout', '300ms', ...flags];
      const obeying = repeated(() => run(bed, obeys, ...limit), isTrapped);
      timedOut(obeying, `run ${bed.id}`, seconds);
      assert.is(obeying.stdout, 'TERM\n');
      assert.ok(isGone(bed));
      let start = 0;
      const ignoring = (): Result => {
        start = Date.now();
        return run(bed, ignores, ...limit);
      };
      const killed = repeated(ignoring, isTrapped);
      timedOut(killed, `run ${bed.id}`, seconds);
      assert.is(killed.stdout, 'TERM\n');
      assert.ok(Date.now() - start >= 300 + 1000 * seconds);
      assert.ok(isGone(bed));
      const early = run(bed, 'exit 7', '--timeout', '1h', ...flags);
      assert.equal([early.code, early.stderr], [7, '']);
    }),
  );
}

test(
  'a run that ends in time as a waiter has its own status, and --keep keeps the container',
  onBed((bed) => {
    const early = run(bed, 'sleep 0.5; exit 7', '--timeout', '1h');
    assert.equal([early.code, early.stderr], [7, '']);
    const keeping = run(bed, 'sleep 0.5; exit 7', '--timeout', '1h', '--keep');
    assert.equal([keeping.code, keeping.stderr], [7, '']);
    ok(bed.delete());
    timedOut(run(bed, obeys, '--timeout', '600ms', '--keep'), `run ${bed.id}`, 0.6);
    assert.is(bed.state().status, 'stopped');
    ok(bed.delete());
  }),
);

test(
  'signals are forwarded between TERM and KILL',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', `trap "exit 9" USR1; ${ignores}`];
    bed.write();
    const { child, exit, stdout } = bed.spawn(['run', '--timeout', '500ms', '--bundle', bed.bundle, bed.id]);
    await eventually('TERM arrives', () => stdout().includes('TERM'));
    child.kill('SIGUSR1');
    timedOut(await exit, `run ${bed.id}`, 0.5);
  }),
);

test(
  'a detached run has a supervisor for its limit, and the record has the reason',
  onBed((bed) => {
    const wait = () => JSON.parse(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout);
    for (const [script, status] of [
      [obeys, 7],
      [ignores, 137],
    ] as const) {
      const r = bed.sh(script, ['--detach', '--timeout', '500ms', '--stop-timeout', '300ms']);
      assert.equal([r.code, r.stderr], [0, '']);
      const { reason, status: ended } = wait();
      assert.equal([ended, reason], [status, 'timeout']);
      ok(bed.delete());
    }
    ok(bed.sh('exit 3', ['--detach', '--timeout', '1h']));
    assert.equal([wait().status, wait().reason], [3, 'exited']);
    ok(bed.delete());
  }),
);

test(
  'exec ends its process, and the container runs on',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.run(['--detach', '--supervise']));
    const exec = (...args: string[]) => bed.runt(['exec', ...args]);
    for (const [timeout, seconds] of [
      ['100ms', 0.1],
      ['600ms', 0.6],
    ] as const) {
      const limit = ['--timeout', timeout, '--stop-timeout', '300ms', bed.id, '/bin/sh', '-c'];
      const r = repeated(() => exec(...limit, ignores), isTrapped);
      timedOut(r, `exec ${bed.id}`, seconds);
      assert.is(r.stdout, 'TERM\n');
      assert.is(
        repeated(
          () => exec(...limit, 'exit 5'),
          ({ code }) => code === 5,
        ).code,
        5,
      );
    }
    assert.is(exec('--timeout', '1h', bed.id, '/bin/sh', '-c', 'sleep 0.5; exit 5').code, 5);
    const file = join(bed.dir, 'pid');
    ok(exec('-d', '--pid-file', file, '--timeout', '600ms', bed.id, '/bin/sh', '-c', obeys));
    const pid = readFileSync(file, 'utf8');
    const record = JSON.parse(ok(bed.runt(['wait', '--pid', pid, '--format', 'json', bed.id])).stdout);
    assert.equal([record.status, record.reason], [7, 'timeout']);
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  'what nothing could end, or has no effect, is refused',
  onBed((bed) => {
    bed.started();
    const r = bed.runt(['exec', '-d', '--timeout', '1s', bed.id, '/bin/true']);
    assert.is(r.code, 255);
    assert.match(r.stderr, /the container has no supervisor, so nothing can end a detached process/);
    ok(bed.delete('--force'));
    for (const time of ['1x', '-1', '99999999999999h']) {
      assert.match(run(bed, 'true', '--timeout', time).stderr, /flag --timeout needs a duration of at most 300 years/);
    }
    assert.match(run(bed, 'true', '--stop-timeout', '1s').stderr, /--stop-timeout has no effect without --timeout/);
  }),
);

for (const [name, flags] of [
  ['in the foreground', []],
  ['with a supervisor', ['--supervise']],
] as const) {
  freezing(
    `the time of a paused container passes too ${name}, and it handles TERM`,
    onBed(async (bed) => {
      // The first process of a pid namespace does not get a TERM before it has a handler.
      bed.config.process.args = ['/bin/sh', '-c', `trap "echo TERM; exit 7" TERM; echo ready; ${loop}`];
      bed.write();
      const limit = ['--timeout', '1s', '--stop-timeout', '1h', ...flags];
      const { exit, stdout } = bed.spawn(['run', ...limit, '--bundle', bed.bundle, bed.id]);
      await eventually('it handles TERM', () => stdout() === 'ready\n');
      ok(bed.runt(['pause', bed.id]));
      timedOut(await exit, `run ${bed.id}`, 1);
      assert.is(stdout(), 'ready\nTERM\n');
      assert.ok(isGone(bed));
    }),
  );
}

freezing(
  'the time of a detached container that is paused passes too, and the limit of an exec does not resume it',
  onBed((bed) => {
    ok(bed.sh(obeys, ['--detach', '--timeout', '2s', '--stop-timeout', '1h']));
    const file = join(bed.dir, 'pid');
    ok(bed.runt(['exec', '-d', '--pid-file', file, '--timeout', '100ms', bed.id, '/bin/sh', '-c', obeys]));
    ok(bed.runt(['pause', bed.id]));
    assert.is(bed.runt(['wait', '--timeout', '500ms', '--pid', readFileSync(file, 'utf8'), bed.id]).code, 124);
    assert.is(bed.state().status, 'paused');
    const { reason, status } = JSON.parse(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout);
    assert.equal([status, reason], [7, 'timeout']);
    ok(bed.delete());
  }),
);

test.run();
freezing.run();
