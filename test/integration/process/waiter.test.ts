/** The waiter: a foreground command whose process runs for more than 200 ms. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { pss } from '../../leaks/process-use.js';
import { type Bed, eventually, needing, ok, onBed, type Running } from '../bed/bed.js';
import { programs, runtPath } from '../bed/place.js';
import { onTerminal } from '../bed/terminal.js';

const test = needing('the waiter', 'root', 'programs');

const loop = 'while :; do sleep 0.05; done';

const isWaiter = (pid: number): boolean => readlinkSync(`/proc/${pid}/exe`).startsWith('/memfd:runt-init');

/** Starts a command in the foreground, and waits until it has become a waiter. */
async function waiting(bed: Bed, args: readonly string[]): Promise<Running & { readonly pid: number }> {
  const command = bed.spawn(args);
  const pid = command.child.pid!;
  await eventually('the command waits as runt-init', () => isWaiter(pid));
  return { ...command, pid };
}

/** Starts a container whose process runs `script`. */
function run(bed: Bed, script: string, flags: readonly string[] = []): ReturnType<typeof waiting> {
  bed.config.process.args = ['/bin/sh', '-c', script];
  bed.write();
  return waiting(bed, ['run', '--bundle', bed.bundle, ...flags, bed.id]);
}

test(
  'a run that waits needs at most 150 KB, and shows its command line',
  onBed(async (bed) => {
    const { pid, exit } = await run(bed, loop);
    assert.ok(pss(pid) <= 150, `${pss(pid)} KB`);
    const shown = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    assert.match(shown, new RegExp(`^runt .*run --bundle ${bed.bundle} ${bed.id}\0`));
    assert.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'runt\n');
    ok(bed.kill('KILL'));
    assert.is((await exit).code, 137);
  }),
);

test(
  'it forwards signals, and at the end removes the container and runs its poststop hooks',
  onBed(async (bed) => {
    const seen = join(bed.dir, 'seen');
    const args = ['sh', '-c', `umask > ${seen}; cat >> ${seen}`];
    bed.config.hooks = { poststop: [{ path: '/bin/sh', args, env: [`PATH=${process.env.PATH}`] }] } as never;
    const script = `trap "echo USR1" USR1; trap "echo TERM; exit 7" TERM; echo up; ${loop}`;
    const { child, exit, stdout } = await run(bed, script);
    await eventually('its traps are set', () => stdout().includes('up'));
    child.kill('SIGUSR1');
    await eventually('the first signal arrives', () => stdout().includes('USR1'));
    child.kill('SIGTERM');
    const { code, stderr } = await exit;
    assert.is(code, 7, stderr);
    assert.match(stdout(), /TERM/);
    assert.match(bed.runt(['state', bed.id]).stderr, /does not exist/);
    assert.equal(cgroupsNamed(bed.id), []);
    assert.match(readFileSync(seen, 'utf8'), new RegExp(`^0022\n.*"id":"${bed.id}".*"status":"stopped"`));
  }),
);

test(
  'signals that the C library uses itself end neither a run nor its waiter',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', `trap "echo 34" 34; trap "exit 7" TERM; echo up; ${loop}`];
    bed.write();
    const { child, exit, stdout } = bed.spawn(['run', '--bundle', bed.bundle, bed.id]);
    const pid = child.pid!;
    const send = (): void => {
      for (const n of [32, 33, 34]) execFileSync('kill', [`-${n}`, `${pid}`]);
    };
    await eventually('the process runs', () => stdout().includes('up'));
    send();
    await eventually('the signal arrives', () => stdout().includes('34'));
    await eventually('the command waits as runt-init', () => isWaiter(pid));
    send();
    await eventually('the signal arrives again', () => stdout().split('34').length === 3);
    child.kill('SIGTERM');
    const { code, stderr } = await exit;
    assert.is(code, 7, stderr);
  }),
);

test(
  'with --keep it ends with the status of the process, and the container stays',
  onBed(async (bed) => {
    const { exit } = await run(bed, 'sleep 1; exit 9', ['--keep']);
    assert.is((await exit).code, 9);
    assert.is(bed.state().status, 'stopped');
    ok(bed.delete());
  }),
);

test(
  'an exec forwards signals and ends with the status of its process',
  onBed(async (bed) => {
    bed.started();
    const script = `trap "exit 8" TERM; echo up; ${loop}`;
    const { pid, child, exit, stdout } = await waiting(bed, ['exec', bed.id, '/bin/sh', '-c', script]);
    assert.ok(pss(pid) <= 150, `${pss(pid)} KB`);
    await eventually('its trap is set', () => stdout().includes('up'));
    child.kill('SIGTERM');
    assert.is((await exit).code, 8);
    const killed = await waiting(bed, ['exec', bed.id, '/bin/sh', '-c', 'sleep 1; kill -9 $$']);
    assert.is((await killed.exit).code, 137);
    ok(bed.delete('--force'));
  }),
);

test(
  'it leaves a later container of the same id alone',
  onBed(async (bed) => {
    const { child, exit } = await run(bed, loop);
    child.kill('SIGSTOP');
    ok(bed.delete('--force'));
    const later = bed.started();
    child.kill('SIGCONT');
    assert.is((await exit).code, 137);
    assert.is(bed.state().status, 'running');
    assert.is(bed.state().pid, later);
    ok(bed.delete('--force'));
  }),
);

test(
  'it ends with the status of a process that a debugger reaps first',
  onBed(async (bed) => {
    const { exit } = await run(bed, 'exec sleep 1000');
    const tracer = spawn(join(programs, 'late-tracer'), [String(bed.state().pid)]);
    await once(tracer.stdout, 'data');
    ok(bed.kill('KILL'));
    assert.is((await exit).code, 137);
  }),
);

test(
  'it reaps the orphans of a container that shares its pid namespace',
  onBed(async (bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    const { pid, exit } = await run(bed, `(sleep 0.1 & sleep 0.6 & exit 0); ${loop}`);
    const children = (): string[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    await eventually('the orphans are reaped', () => children().length === 1);
    ok(bed.kill('KILL'));
    assert.is((await exit).code, 137);
  }),
);

// In the first 200 ms, and as a waiter, the first two go to the container.
for (const waits of [false, true]) {
  test(
    `the third Ctrl-C within two seconds kills a process that ignores it${waits ? ', from a waiter too' : ''}`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sh', '-c', `trap "echo INT" INT; echo up; ${loop}`];
      bed.write();
      // A supervised run does not become a waiter.
      const flags = waits ? [] : ['--supervise'];
      const command = [runtPath, '--root', bed.root, 'run', ...flags, '--bundle', bed.bundle, bed.id];
      const side = onTerminal(command, bed.dir);
      await side.shows(/up/);
      const pid = Number(
        execFileSync('pgrep', ['-f', '-n', `run .*--bundle ${bed.bundle} ${bed.id}`], { encoding: 'utf8' }),
      );
      if (waits) await eventually('the command waits as runt-init', () => isWaiter(pid));
      side.type('\x03');
      await side.shows(/INT/);
      side.type('\x03');
      await side.shows(/INT.*INT/s);
      side.type('\x03');
      await side.shows(/runt: the third Ctrl-C within two seconds kills the process/);
      assert.is((await side.ended()).code, 137);
    }),
  );
}

test.run();
