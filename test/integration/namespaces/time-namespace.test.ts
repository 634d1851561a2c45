/** The time namespace and linux.timeOffsets. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { eventually, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('time-namespace', 'root', 'time-namespaces');

/** Seconds since boot, as the machine reports them. */
const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
const day = 86_400;

for (const user of [false, true]) {
  test(
    `the offsets of both clocks are set${user ? ', in a user namespace' : ''}, and exec joins the namespace`,
    onBed(async (bed) => {
      if (user) withUserNamespace(bed.config);
      bed.config.linux.namespaces.push({ type: 'time' });
      bed.config.linux.timeOffsets = { boottime: { secs: day, nanosecs: 5 }, monotonic: { secs: -1 } };
      const pid = bed.started(['/bin/sh', '-c', 'cat /proc/uptime /proc/self/timens_offsets; exec sleep 1000']);
      await eventually('it has written', () => bed.stdout().split('\n').length > 3);
      const lines = bed.stdout().split('\n');
      assert.ok(Math.abs(Number(lines[0]!.split(' ')[0]) - uptime() - day) < 5, lines[0]);
      assert.match(lines[1]!, /^monotonic +-1 +0$/);
      assert.match(lines[2]!, /^boottime +86400 +5$/);
      const link = readlinkSync(`/proc/${pid}/ns/time`);
      assert.is.not(link, readlinkSync('/proc/self/ns/time'));
      assert.is(readlinkSync(`/proc/${pid}/ns/time_for_children`), link);
      const r = bed.runt(['exec', bed.id, '/bin/sh', '-c', 'readlink /proc/self/ns/time; cat /proc/uptime']);
      const [inside, text] = r.stdout.split('\n');
      assert.is(inside, link, r.stderr);
      assert.ok(Number(text!.split(' ')[0]) > day);
      assert.is(bed.state().status, 'running');
      bed.delete('--force');
    }),
  );
}

test(
  "without offsets the clocks are the host's",
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'time' });
    const [own, text] = bed.out('readlink /proc/self/ns/time; cat /proc/uptime').split('\n');
    assert.is.not(own, readlinkSync('/proc/self/ns/time'));
    assert.ok(Math.abs(Number(text!.split(' ')[0]) - uptime()) < 5);
  }),
);

test(
  'an offset that makes a clock negative, or is out of range, is refused with its JSON pointer',
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'time' });
    for (const [offsets, pointer, why] of [
      [{ boottime: { secs: -4_000_000_000 } }, '/linux/timeOffsets', /below zero/],
      [{ monotonic: { secs: 9_000_000_000 } }, '/linux/timeOffsets', /below zero, or beyond 146 years/],
      [{ monotonic: { nanosecs: 1_000_000_000 } }, '/linux/timeOffsets/monotonic/nanosecs', /999999999/],
      [{ realtime: { secs: 1 } }, '/linux/timeOffsets/realtime', /boottime, monotonic/],
    ] as const) {
      bed.config.linux.timeOffsets = offsets as object;
      const r = bed.run();
      assert.is(r.code, 1);
      assert.ok(r.stderr.includes(pointer), r.stderr);
      assert.match(r.stderr, why);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
  }),
);

test(
  "the spans of a trace use the host's clock",
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'time' });
    bed.config.linux.timeOffsets = { monotonic: { secs: day } };
    const file = join(bed.dir, 'trace.json');
    const r = bed.sh('true', ['--trace', file]);
    assert.is(r.code, 0, r.stderr);
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as {
      traceEvents: { name: string; ph: string; ts: number; dur: number }[];
    };
    const spans = traceEvents.filter(({ ph }) => ph === 'X');
    assert.ok(spans.length > 40);
    const [first, last] = [Math.min(...spans.map((s) => s.ts)), Math.max(...spans.map((s) => s.ts + s.dur))];
    assert.ok(last - first < 30e6, `${last - first} µs`);
  }),
);

test.run();
