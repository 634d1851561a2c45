/** The clock is set while containers run: nothing depends on it. Only in a machine of the test's own (hack/vm). */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { eventually, needing, ok, onBed } from '../bed/bed.js';

const test = needing('clock', 'root', 'own-clock');

const year = 365 * 86_400;

/** Sets the clock some seconds ahead (or back) while `f` runs. */
async function jumped(seconds: number, f: () => void | Promise<void>): Promise<void> {
  const set = (by: number) =>
    execFileSync('date', ['-s', `@${Math.round(Date.now() / 1000) + by}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  set(seconds);
  try {
    await f();
  } finally {
    set(-seconds);
  }
}

for (const [name, seconds] of [
  ['ten years ahead', 10 * year],
  ['ten years back', -10 * year],
] as const) {
  test(
    `with the clock ${name}, commands still recognise the process of a running container`,
    onBed(async (bed) => {
      const pid = bed.started();
      const before = bed.state();
      await jumped(seconds, () => {
        assert.equal(bed.state(), before);
        ok(bed.runt(['exec', bed.id, '/true']));
        ok(bed.runt(['pause', bed.id]));
        ok(bed.runt(['resume', bed.id]));
        assert.is(ok(bed.runt(['ps', '--format', 'json', bed.id])).stdout, `[${pid}]\n`);
        ok(bed.kill('KILL'));
        bed.until('stopped');
        ok(bed.delete());
      });
    }),
  );

  test(
    `with the clock ${name}, a created container works, and one created meanwhile survives the reset`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      ok(bed.create(['--supervise']));
      const second = `${bed.id}-2`;
      await jumped(seconds, () => {
        ok(bed.start());
        ok(bed.runt(['run', '--detach', '--bundle', bed.bundle, second]));
        const made = Date.parse(JSON.parse(bed.runt(['state', second]).stdout).created);
        assert.ok(Math.abs(made - Date.now()) < 60_000, 'its time of creation is that of the clock at its creation');
        ok(bed.kill('KILL'));
        assert.is(ok(bed.runt(['wait', bed.id])).stdout, '137\n');
        ok(bed.delete());
      });
      assert.is(JSON.parse(bed.runt(['state', second]).stdout).status, 'running');
      ok(bed.runt(['delete', '--force', second]));
    }),
  );

  test(
    `with the clock ${name} during a hook and events, no timeout expires early and no interval is late`,
    onBed(async (bed) => {
      bed.config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'sleep 2'], timeout: 60 }] };
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      const create = bed.spawn(['create', '--bundle', bed.bundle, bed.id]);
      await eventually('the hook runs', () => existsSync(bed.root) && bed.runt(['list', '-q']).stdout !== '');
      await jumped(seconds, async () => {
        ok(await create.exit);
      });
      ok(bed.start());
      const events = bed.spawn(['events', '--interval', '200ms', bed.id]);
      await eventually('the first', () => events.stdout().includes('\n'));
      await jumped(seconds, async () => {
        const so = events.stdout().length;
        await eventually('the next', () => events.stdout().length > so, 20_000);
      });
      ok(bed.kill('KILL'));
      assert.is((await events.exit).code, 0);
      ok(bed.delete());
    }),
  );
}

test.run();
