/** Exit records with what a container has used: `run --summary`, `wait`, `events --stats`, the library. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';

const { Runtime } = (await import(
  '../../../dist/index.js' as string
)) as typeof import('../../../src/library/index.js');

const test = needing('exit records', 'root');
const limited = needing('exit records of limited containers', 'root', 'memory');

interface Usage {
  memoryPeak?: number;
  cpuTotal?: number;
  cpuUser?: number;
  cpuKernel?: number;
  ioRead?: number;
  pidsPeak?: number;
}

interface RecordOfEnd {
  id?: string;
  status: number;
  signal: number;
  reason: string;
  oom: boolean;
  createdAt: string;
  startedAt?: string;
  exitedAt: string;
  usage?: Usage;
}

const json = (text: string): RecordOfEnd => JSON.parse(text) as RecordOfEnd;
const wait = (bed: Bed): RecordOfEnd => json(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout);

/** Uses CPU time for a while. */
const works = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';

/** Whether the usage is of a program that has run `works`. */
function hasWorked(usage: Usage | undefined): void {
  assert.ok(usage?.cpuTotal && usage.cpuTotal > 5e6 && usage.cpuTotal < 60e9, JSON.stringify(usage));
  if (usage.memoryPeak !== undefined) assert.ok(usage.memoryPeak > 10_000, JSON.stringify(usage));
  if (usage.pidsPeak !== undefined) assert.ok(usage.pidsPeak >= 1 && usage.pidsPeak < 100, JSON.stringify(usage));
}

for (const [kind, flags, script] of [
  ['that ends at once', [], ''],
  ['as a waiter', [], 'sleep 0.5; '],
  ['with a supervisor', ['--supervise'], ''],
] as const) {
  test(
    `run --summary of a command ${kind} reports the end and the usage, and leaves nothing`,
    onBed((bed) => {
      const file = join(bed.dir, 'summary.json');
      const r = bed.sh(`${script}${works}; exit 3`, [`--summary=${file}`, ...flags]);
      assert.equal([r.code, r.stdout, r.stderr], [3, '', '']);
      const { id, status, reason, usage, createdAt, startedAt = '', exitedAt } = json(readFileSync(file, 'utf8'));
      assert.equal([id, status, reason], [bed.id, 3, 'exited']);
      assert.ok(createdAt <= startedAt && startedAt < exitedAt);
      hasWorked(usage);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
      assert.equal(cgroupsNamed(bed.id), []);
      const text = bed.sh(`${script}exit 0`, ['--summary', ...flags]);
      assert.is(text.code, 0);
      assert.match(text.stderr, new RegExp(`^runt: ${bed.id} exited with status 0 after [0-9.]+ s\n {2}CPU time `));
    }),
  );

  test(
    `run --keep of a command ${kind} keeps the exit record for wait, and the statistics for events`,
    onBed((bed) => {
      assert.is(bed.sh(`${script}${works}; exit 4`, ['--keep', ...flags]).code, 4);
      const first = wait(bed);
      assert.equal([first.status, first.reason], [4, 'exited']);
      hasWorked(first.usage);
      assert.equal(wait(bed), first);
      assert.is(bed.runt(['wait', bed.id]).stdout, '4\n');
      const { data } = JSON.parse(ok(bed.runt(['events', '--stats', bed.id])).stdout);
      assert.is(data.cpu.usage.total, first.usage?.cpuTotal);
      ok(bed.delete());
      assert.match(bed.runt(['events', '--stats', bed.id]).stderr, /container does not exist/);
    }),
  );
}

test(
  'wait of a detached container has the usage after its end, and the time limit as the reason',
  onBed((bed) => {
    ok(bed.sh(`${works}; while :; do sleep 0.05; done`, ['--detach', '--timeout', '1s', '--stop-timeout', '100ms']));
    const { status, reason, usage } = wait(bed);
    assert.equal([status, reason], [137, 'timeout']);
    hasWorked(usage);
    ok(bed.delete());
  }),
);

test(
  'a signal is the reason killed, and --summary has no effect with --detach',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const running = bed.spawn(['run', '--summary', '--bundle', bed.bundle, bed.id]);
    await eventually('it runs', () => bed.isRunning());
    ok(bed.kill('KILL'));
    const { code, stderr } = await running.exit;
    assert.is(code, 137);
    assert.match(stderr, new RegExp(`^runt: ${bed.id} was killed by SIGKILL after [0-9.]+ s\n`));
    const refused = bed.run(['--detach', '--summary']);
    assert.equal([refused.code, existsSync(join(bed.root, bed.id))], [1, false]);
    assert.match(refused.stderr, /^runt: run: --summary has no effect with --detach/);
  }),
);

test(
  'a summary for which there is no directory, or a directory in its place, is refused before the start',
  onBed((bed) => {
    for (const [file, reason] of [
      ['/nowhere/summary.json', /: the summary \/nowhere\/summary.json cannot be written: ENOENT/],
      [bed.dir, /cannot be written: it is a directory\n/],
      ['', /^runt: run: --summary= needs a file/],
    ] as const) {
      const r = bed.sh('echo started', [`--summary=${file}`]);
      assert.equal([r.code, r.stdout], [1, '']);
      assert.match(r.stderr, reason);
    }
  }),
);

test(
  'a summary that cannot be written is an error after the container was removed',
  onBed((bed) => {
    const r = bed.sh('exit 0', ['--summary=/dev/full']);
    assert.is(r.code, 1);
    assert.match(r.stderr, /^runt: run \S+: write the summary \/dev\/full: ENOSPC/);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
    const fifo = join(bed.dir, 'fifo');
    assert.is(spawnSync('mkfifo', [fifo]).status, 0);
    const waiting = bed.sh('exit 0', [`--summary=${fifo}`]);
    assert.is(waiting.code, 1);
    assert.match(waiting.stderr, /write the summary \S+fifo: ENXIO/, 'it does not wait for a reader');
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test(
  'the library gives the record to exit',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', `${works}; exit 5`];
    bed.write();
    const run = await new Runtime({ root: bed.root }).run(bed.id, bed.bundle, {
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const { status, reason, createdAt = '', startedAt = '', exitedAt, usage } = await run.exit;
    assert.equal([status, reason], [5, 'exited']);
    assert.ok(createdAt < startedAt && startedAt <= exitedAt);
    hasWorked(usage);
  }),
);

limited(
  'a container that the kernel killed for memory has the reason oom, with and without a supervisor',
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 12 << 20 } };
    for (const flags of [[], ['--supervise']]) {
      const file = join(bed.dir, 'summary.json');
      const r = bed.sh('x=$(head -c 60000000 /dev/zero | tr "\\\\0" x); exit 0', [`--summary=${file}`, ...flags]);
      const { reason, oom, usage } = json(readFileSync(file, 'utf8'));
      assert.equal([r.code, reason, oom], [137, 'oom', true]);
      if (usage?.memoryPeak !== undefined) assert.ok(usage.memoryPeak > 8 << 20 && usage.memoryPeak <= 13 << 20);
    }
  }),
);

test.run();
limited.run();
