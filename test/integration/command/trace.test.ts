/** `--trace`: a span for each performed operation, in Chrome's trace format. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('trace', 'root');

interface Event {
  name: string;
  cat: string;
  ph: string;
  ts: number;
  dur: number;
  args?: { index: number; op: string };
}

const eventsOf = (path: string): Event[] =>
  (JSON.parse(readFileSync(path, 'utf8')).traceEvents as Event[]).filter((e) => e.ph === 'X');

test(
  'run and create write a span for every operation of the plan that they complete',
  onBed((bed) => {
    bed.write();
    const plan = JSON.parse(bed.runt(['explain', '--format', 'json', bed.bundle]).stdout) as {
      operations: { op: string }[];
    };
    const path = join(bed.dir, 'trace.json');
    const created = bed.create(['--trace', path]);
    assert.is(created.code, 0, created.stderr);
    const events = eventsOf(path);
    const done = events.filter((e) => e.args).map((e) => e.args!.op);
    // When create ends, `wait` has not ended and `exec` has not begun.
    assert.equal(
      done.sort(),
      plan.operations
        .map((o) => o.op)
        .filter((op) => op !== 'wait' && op !== 'exec')
        .sort(),
    );
    assert.ok(events.some((e) => e.name === 'load and validate config.json' && e.cat === 'runtime'));
    assert.ok(events.every((e) => e.ts >= 0 && e.dur >= 0));
    const started = join(bed.dir, 'start.json');
    assert.is(bed.runt(['start', '--trace', started, bed.id]).code, 0);
    assert.equal(
      eventsOf(started).map((e) => e.name),
      ['connect to the start socket', 'prepare the process', 'execve'],
    );
    bed.delete('--force');
  }),
);

test(
  'create fails if the trace cannot be written, and leaves nothing',
  onBed((bed) => {
    const r = bed.create(['--trace', join(bed.dir, 'missing', 'trace.json')]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /write the trace \/.*: ENOENT/);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test.run();
