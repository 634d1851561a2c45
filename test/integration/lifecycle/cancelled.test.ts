/** A container that another command deletes while `run`, `wait` or the library wait for it: ERR_CANCELLED. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RuntError } from '../../../src/library/index.js';
import { elapse } from '../../deadline.js';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed, type Running } from '../bed/bed.js';

const { Runtime } = (await import(
  '../../../dist/index.js' as string
)) as typeof import('../../../src/library/index.js');

const test = needing('deletion during a run', 'root');

const runs = (bed: Bed) => (): boolean => bed.isRunning();

const message = (bed: Bed, command = 'run'): string =>
  `runt: ${command} ${bed.id}: another command deleted the container meanwhile\n`;

function nothingIsLeft(bed: Bed): void {
  assert.not.ok(existsSync(join(bed.root, bed.id)));
  assert.equal(cgroupsNamed(bed.id), []);
}

for (const [kind, flags, delay] of [
  ['that has just begun', [], 0],
  ['that waits as a waiter', [], 500],
  ['with a supervisor', ['--supervise'], 300],
  ['that is kept', ['--keep'], 500],
  ['with a time limit', ['--timeout', '1h'], 500],
] as const) {
  test(
    `delete --force during a run ${kind} is reported as a cancelled container, and --summary too`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      const file = join(bed.dir, 'summary.json');
      for (const summary of [[], [`--summary=${file}`]]) {
        const running = bed.spawn(['run', ...flags, ...summary, '--bundle', bed.bundle, bed.id]);
        await eventually('it runs', runs(bed));
        // Then it has become a waiter, or not yet.
        await elapse(delay);
        ok(bed.delete('--force'));
        const { code, stderr } = await running.exit;
        assert.equal([code, stderr], [137, message(bed)]);
        nothingIsLeft(bed);
      }
      const { status, signal, reason } = JSON.parse(readFileSync(file, 'utf8'));
      assert.equal([status, signal, reason], [137, 9, 'cancelled']);
    }),
  );
}

for (const flags of [[], ['--supervise']]) {
  test(
    `delete --force of a container whose hook runs in its ${flags[0] ?? 'plain'} run is reported as cancelled`,
    onBed(async (bed) => {
      const mark = join(bed.dir, 'hook');
      const script = `touch ${mark}; exec sleep 1`;
      bed.config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
      bed.write();
      const running: Running = bed.spawn(['run', ...flags, '--bundle', bed.bundle, bed.id]);
      await eventually('its hook runs', () => existsSync(mark));
      bed.delete('--force');
      const { code, stderr } = await running.exit;
      assert.equal([code, stderr], [137, message(bed)]);
      nothingIsLeft(bed);
    }),
  );
}

test(
  'wait reports a deleted container as cancelled, with its status where that is known',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.run(['--detach', '--supervise']));
    const waiting = bed.spawn(['wait', '--format', 'json', bed.id]);
    // Nothing shows that it waits.
    await elapse(300);
    ok(bed.delete('--force'));
    const { code, stdout, stderr } = await waiting.exit;
    if (code === 0) assert.equal([JSON.parse(stdout).reason, JSON.parse(stdout).status], ['cancelled', 137]);
    else assert.equal([code, stderr], [137, message(bed, 'wait')]);
  }),
);

test(
  'a container that was killed, and not deleted, is not reported as cancelled',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const running = bed.spawn(['run', '--bundle', bed.bundle, bed.id]);
    await eventually('it runs', runs(bed));
    ok(bed.kill('KILL'));
    const { code, stderr } = await running.exit;
    assert.equal([code, stderr], [137, '']);
    nothingIsLeft(bed);
  }),
);

test(
  'exit of the library rejects with ERR_CANCELLED after another deletion, and resolves after a kill',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const runtime = new Runtime({ root: bed.root });
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    const run = await runtime.run(bed.id, bed.bundle, { stdio });
    ok(bed.delete('--force'));
    const error = await run.exit.then(
      () => undefined,
      (e: RuntError) => e,
    );
    assert.equal([error?.code, error?.message], ['ERR_CANCELLED', message(bed).slice('runt: '.length, -1)]);
    nothingIsLeft(bed);
    const killed = await runtime.run(bed.id, bed.bundle, { stdio });
    await runtime.container(bed.id).kill('KILL');
    assert.is((await killed.exit).reason, 'killed');
    nothingIsLeft(bed);
  }),
);

test.run();
