/** Exit codes of `run`. */
import * as assert from 'uvu/assert';
import { eventually, needing, ok, onBed } from '../bed/bed.js';

const test = needing('exit', 'root');

for (const code of [0, 1, 42, 125, 126, 127, 255]) {
  test(
    `run exits with the status ${code} of the process`,
    onBed((bed) => {
      assert.is(bed.sh(`exit ${code}`).code, code);
    }),
  );
}

for (const [name, number] of [
  ['KILL', 9],
  ['TERM', 15],
  ['SEGV', 11],
] as const) {
  test(
    `run exits with ${128 + number} when ${name} ended the container`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sh', '-c', 'trap - TERM; echo up; exec sleep 1000'];
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
      bed.write();
      const run = bed.spawn(['run', '--bundle', bed.bundle, bed.id]);
      await eventually('the container is up', () => run.stdout().includes('up'));
      assert.is(bed.kill(name).code, 0);
      assert.is((await run.exit).code, 128 + number);
    }),
  );
}

test(
  'a caller that ignores SIGCHLD gets the exit status, and hooks end with theirs',
  onBed((bed) => {
    const ignoring = { wrapped: ['/bin/sh', '-c', `trap "" CHLD; exec "$@"`, 'sh'] };
    bed.config.hooks = { createRuntime: [{ path: '/bin/true' }] } as never;
    assert.is(bed.sh('exit 5', [], ignoring).code, 5);
    assert.is(bed.sh('sleep 0.5; exit 6', [], ignoring).code, 6);
    bed.started();
    assert.is(bed.runt(['exec', bed.id, '/bin/sh', '-c', 'exit 7'], ignoring).code, 7);
    ok(bed.delete('--force'));
  }),
);

test(
  'a signal to the runtime is forwarded to the process',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'trap "echo got; exit 7" TERM; echo up; while :; do sleep 0.05; done'];
    bed.write();
    const run = bed.spawn(['run', '--bundle', bed.bundle, bed.id]);
    await eventually('the container is up', () => run.stdout().includes('up'));
    run.child.kill('SIGTERM');
    const r = await run.exit;
    assert.is(r.code, 7);
    assert.match(r.stdout, /got/);
  }),
);

test.run();
