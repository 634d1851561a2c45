/** The runtime is killed at any point of create or delete: what it leaves, `list` and `delete --force` can handle. */
import * as assert from 'uvu/assert';
import { eventually, needing, onBed } from './bed.js';
import { cgroupsNamed, processesOf, sleep } from './leftovers.js';

const test = needing('crash', 'root');

/** Waits `us` microseconds: timers are too coarse for a program that lives some milliseconds. */
function spin(us: number): void {
  const until = process.hrtime.bigint() + BigInt(us) * 1000n;
  while (process.hrtime.bigint() < until);
}

for (const command of ['create', 'run'] as const) {
  test(
    `${command} is killed`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      let cut = 0;
      for (let i = 0; i < 40; i++) {
        const id = `${bed.id}-${command}-${i}`;
        const call = bed.spawn([command, '--bundle', bed.bundle, id]);
        spin(i * 250);
        if (call.child.kill('SIGKILL')) cut++;
        await call.exit;
        const list = bed.runt(['list', '--format', 'json']);
        assert.is(list.code, 0, `after ${i * 250} µs: ${list.stderr}`);
        const removed = bed.runt(['delete', '--force', id]);
        assert.is(removed.code, 0, `after ${i * 250} µs: ${removed.stderr}`);
        // An init without its runtime ends by itself.
        await eventually(`nothing of ${id} runs`, () => processesOf({ ...bed.mark, id }).length === 0);
        assert.is(bed.runt(['state', id]).code, 1);
        assert.equal(cgroupsNamed(id), [], `after ${i * 250} µs`);
      }
      assert.ok(cut > 5, `${cut} of 40 were still running when they were killed`);
    }),
  );
}

test(
  'delete is killed, and done again',
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
  'two deletes at a time: both end, one may say that it is gone',
  onBed(async (bed) => {
    for (let i = 0; i < 5; i++) {
      bed.started();
      const both = [bed.spawn(['delete', '--force', bed.id]), bed.spawn(['delete', '--force', bed.id])];
      for (const r of await Promise.all(both.map(({ exit }) => exit))) assert.is(r.code, 0, r.stderr);
      sleep(1);
    }
  }),
);

test(
  'the container’s process is killed while it waits for start: start fails, delete works',
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
