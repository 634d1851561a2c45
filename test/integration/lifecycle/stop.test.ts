/** `stop`, `kill --wait`, `delete --wait` and `wait --timeout`: commands that return when a container has ended. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';

const test = needing('stop', 'root');
const freezing = needing('stop of a paused container', 'root', 'cgroups');
const { Runtime } = (await import(resolve('dist/index.js'))) as typeof Library;

const loop = 'while :; do sleep 0.05; done';

/** Starts a detached, supervised container whose traps are set. @returns its pid */
async function started(bed: Bed, script: string, flags: readonly string[] = ['--supervise']): Promise<number> {
  bed.config.root.readonly = false;
  const up = join(bed.rootfs, 'up');
  rmSync(up, { force: true });
  const r = bed.sh(`${script.replace(loop, `: > /up; ${loop}`)}`, ['--detach', ...flags]);
  assert.equal([r.code, r.stderr], [0, '']);
  await eventually('its traps are set', () => existsSync(up));
  return bed.state().pid;
}

const wait = (bed: Bed) => JSON.parse(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout);

test(
  'stop sends TERM, and returns when the process has ended and its exit is recorded',
  onBed(async (bed) => {
    const pid = await started(bed, `trap "sleep 0.3; exit 7" TERM; ${loop}`);
    const start = Date.now();
    ok(bed.runt(['stop', bed.id]));
    assert.ok(hasEnded(pid));
    assert.ok(Date.now() - start < 8000);
    assert.is(bed.state().status, 'stopped');
    assert.ok(existsSync(join(bed.root, bed.id, 'exit.json')));
    assert.is(wait(bed).status, 7);
    ok(bed.runt(['stop', bed.id]));
    ok(bed.delete());
    assert.match(bed.runt(['stop', bed.id]).stderr, /container does not exist/);
  }),
);

test(
  'after --timeout, which may be 0, the process is killed',
  onBed(async (bed) => {
    for (const timeout of ['300ms', '0']) {
      await started(bed, `trap "" TERM; ${loop}`);
      const start = Date.now();
      ok(bed.runt(['stop', '--timeout', timeout, bed.id]));
      assert.ok(Date.now() - start >= (timeout === '0' ? 0 : 300));
      assert.is(wait(bed).signal, 9);
      ok(bed.delete());
    }
    const r = bed.runt(['stop', '-t', '5x', bed.id]);
    assert.is(
      r.stderr,
      'runt: stop: flag --timeout needs a duration of at most 300 years, such as 90s, 1m30s or 100ms, not "5x"\n',
    );
  }),
);

test(
  "the first signal is the image's, or that of --signal",
  onBed(async (bed) => {
    const script = `trap "exit 3" QUIT; trap "exit 4" USR1; ${loop}`;
    bed.config.annotations = { 'org.opencontainers.image.stopSignal': 'SIGQUIT' };
    await started(bed, script);
    ok(bed.runt(['stop', bed.id]));
    assert.is(wait(bed).status, 3);
    ok(bed.delete());
    bed.config.annotations = { 'org.opencontainers.image.stopSignal': 'SIGNONE' };
    await started(bed, script);
    const r = bed.runt(['stop', bed.id]);
    assert.is(r.code, 1);
    assert.match(
      r.stderr,
      /the annotation org.opencontainers.image.stopSignal is not a signal.*\n.*SIGNONE.*\n {2}fix name/s,
    );
    assert.is(bed.state().status, 'running');
    ok(bed.runt(['stop', '--signal', 'USR1', bed.id]));
    assert.is(wait(bed).status, 4);
    ok(bed.delete());
  }),
);

test(
  'stop ends a created container, and one without a supervisor',
  onBed((bed) => {
    bed.config.annotations = { 'org.opencontainers.image.stopSignal': 'SIGUSR1' };
    ok(bed.create());
    const { pid } = bed.state();
    ok(bed.runt(['stop', bed.id]));
    assert.ok(hasEnded(pid));
    assert.is(bed.state().status, 'stopped');
    ok(bed.delete());
  }),
);

test(
  'without a pid namespace, stop ends the processes that outlive the first one too',
  onBed(async (bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
    await started(bed, `(trap "" TERM; while :; do sleep 0.05; done) & echo $! > /pid; trap "exit 0" TERM; ${loop}`);
    const left = Number(readFileSync(join(bed.rootfs, 'pid'), 'utf8'));
    ok(bed.runt(['stop', bed.id]));
    await eventually('the other process has ended', () => hasEnded(left));
    ok(bed.delete());
  }),
);

freezing(
  'a paused container gets its stop signal',
  onBed(async (bed) => {
    await started(bed, `trap "exit 7" TERM; ${loop}`);
    ok(bed.runt(['pause', bed.id]));
    ok(bed.runt(['stop', bed.id]));
    assert.is(wait(bed).status, 7);
    ok(bed.delete());
  }),
);

test(
  'kill --wait returns when the container has ended, with or without a supervisor, also for several',
  onBed(async (bed) => {
    for (const flags of [[], ['--supervise']]) {
      const pid = await started(bed, `trap "sleep 0.3; exit 7" TERM; ${loop}`, flags);
      ok(bed.runt(flags.length > 0 ? ['kill', '--wait', bed.id] : ['kill', '--wait', '--regex', `^${bed.id}$`]));
      assert.ok(hasEnded(pid));
      assert.is(bed.state().status, 'stopped');
      assert.match(bed.runt(['kill', '--wait', bed.id]).stderr, /container not running/);
      ok(bed.delete());
    }
  }),
);

test(
  'delete --wait deletes a container when it has ended',
  onBed(async (bed) => {
    await started(bed, 'while [ ! -e /end ]; do : > /up; sleep 0.05; done');
    const deleted = bed.spawn(['delete', '--wait', bed.id]);
    // It must not delete it yet.
    await elapse(300);
    assert.is(bed.state().status, 'running');
    writeFileSync(join(bed.rootfs, 'end'), '');
    ok(await deleted.exit);
    assert.match(bed.runt(['state', bed.id]).stderr, /does not exist/);
    assert.match(bed.runt(['delete', '--wait', bed.id]).stderr, /does not exist/);
    assert.match(bed.runt(['delete', '--wait', '--force', bed.id]).stderr, /exclude each other/);
    ok(bed.create());
    ok(bed.delete('--wait'));
  }),
);

test(
  'wait --timeout exits with 124 when the time has passed, and the container runs on',
  onBed(async (bed) => {
    await started(bed, loop);
    const r = bed.runt(['wait', '--timeout', '200ms', bed.id]);
    assert.equal([r.code, r.stdout], [124, '']);
    assert.is(r.stderr, `runt: wait ${bed.id}: the container has not ended within 0.2 s\n`);
    const file = join(bed.dir, 'pid');
    ok(bed.runt(['exec', '-d', '--pid-file', file, bed.id, '/bin/sh', '-c', loop]));
    const pid = readFileSync(file, 'utf8');
    assert.is(bed.runt(['wait', '--timeout', '200ms', '--pid', pid, bed.id]).code, 124);
    assert.is(bed.state().status, 'running');
    ok(bed.kill('KILL', '--wait'));
    assert.is(ok(bed.runt(['wait', '--timeout', '10s', bed.id])).stdout, '137\n');
    ok(bed.delete());
  }),
);

test(
  'the library has all of them',
  onBed(async (bed) => {
    const container = new Runtime({ root: bed.root }).container(bed.id);
    await started(bed, `trap "exit 7" TERM; ${loop}`);
    await container.wait({ timeout: 100 }).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'ERR_TIMEOUT'),
    );
    await container.stop({ stopSignal: 'USR2', timeout: 0 });
    assert.is((await container.wait({ timeout: 1000 })).signal, 9);
    await container.delete({ wait: true });
    await started(bed, `trap "exit 7" TERM; ${loop}`);
    await container.kill('TERM', { wait: true });
    assert.is((await container.state()).status, 'stopped');
    assert.is((await container.wait()).status, 7);
    await container.delete();
  }),
);

test.run();
freezing.run();
