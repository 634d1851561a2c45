/**
 * `events` on v1 and v2: its numbers are those of the files and, on v1, runc's (on v2:
 * test/integration/cgroup/limits-v2.test.ts); it reports out of memory, and ends with the container.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { readStats } from '../../../src/cgroup/stats/cgroup-stats.js';
import { statsJson } from '../../../src/cgroup/stats/stats-json.js';
import { events } from '../../../src/container/stats-stream.js';
import { toJson } from '../../../src/spec/json/exact-json.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { hasCgroupV1 } from '../bed/needs.js';

const test = needing('events', 'root', 'cgroups');
const withRunc = needing('events beside runc', 'root', 'cgroup-v1', 'runc');
useNodeHost([]);
const v2 = !hasCgroupV1();

interface Line {
  type: 'stats' | 'oom';
  id: string;
  data?: { [part: string]: Record<string, unknown> };
}
const lines = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line));

const file = (bed: Bed, controller: string, name: string): string => {
  const path = cgroupsNamed(bed.id).find((p) => v2 || p.startsWith(`/sys/fs/cgroup/${controller}/`));
  return readFileSync(join(path!, name), 'utf8').trim();
};

/** Bytes of memory in use, and ns of CPU time. */
const memoryUsed = (bed: Bed) =>
  Number(v2 ? file(bed, '', 'memory.current') : file(bed, 'memory', 'memory.usage_in_bytes'));
const cpuUsed = (bed: Bed) =>
  v2
    ? 1000 * Number(/^usage_usec (\d+)$/m.exec(file(bed, '', 'cpu.stat'))![1])
    : Number(file(bed, 'cpuacct', 'cpuacct.usage'));

test(
  '--stats prints one object with the values of the files',
  onBed(async (bed) => {
    bed.config.linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 9 } };
    bed.started();
    // Compared between two equal readings: the process uses more until it sleeps, and the kernel counts a little later.
    const used = () => [memoryUsed(bed), cpuUsed(bed)];
    const { r, before } = await eventually('nothing moves', () => {
      const before = used();
      const r = bed.runt(['events', '--stats', bed.id]);
      return String(used()) === String(before) && { r, before };
    });
    assert.equal([r.code, r.stderr], [0, '']);
    assert.is(r.stdout.split('\n').length, 2, 'one line');
    const [{ type, id, data }] = lines(r.stdout) as [Line];
    assert.equal([type, id], ['stats', bed.id]);
    assert.equal(data!.pids, { current: 1, limit: 9 });
    const { usage } = data!.memory as { usage: Record<string, number> };
    assert.is(usage.limit, 64 << 20);
    // A value of 0 is left out, as by runc.
    assert.equal([usage.usage ?? 0, (data!.cpu!.usage as Record<string, number>).total ?? 0], before);
    bed.delete('--force');
  }),
);

test(
  'throttling is counted',
  onBed((bed) => {
    bed.config.linux.resources = { cpu: { quota: 2000, period: 10000 } };
    bed.started(['/bin/sh', '-c', 'while :; do :; done']);
    const stats = () =>
      lines(bed.runt(['events', '--stats', bed.id]).stdout)[0]!.data!.cpu!.throttling as Record<string, number>;
    // The kernel adds the time when a throttled CPU continues.
    return eventually('throttled', () => (stats().throttledTime ?? 0) > 0).then(() => {
      const { periods, throttledPeriods } = stats();
      assert.ok(throttledPeriods! > 0 && periods! >= throttledPeriods!, `${throttledPeriods} of ${periods}`);
      bed.delete('--force');
    });
  }),
);

test(
  'events prints a line in each interval until the container ends, then exits with 0',
  onBed(async (bed) => {
    bed.started();
    const began = Date.now();
    const running = bed.spawn(['events', '--interval=50ms', bed.id]);
    await eventually('four lines', () => lines(running.stdout()).length >= 4);
    // Both clocks count whole milliseconds.
    assert.ok(Date.now() - began >= 99, 'it waits');
    bed.kill('KILL');
    const { code, stdout, stderr } = await running.exit;
    assert.equal([code, stderr], [0, '']);
    assert.ok(lines(stdout).every((line) => line.type === 'stats' && line.id === bed.id));
    bed.delete();
  }),
);

test(
  'events prints its first line at once, and ends without waiting for the interval',
  onBed(async (bed) => {
    bed.started();
    const running = bed.spawn(['events', '--interval=1h', bed.id]);
    await eventually('a line', () => lines(running.stdout()).length === 1);
    bed.kill('KILL');
    assert.is((await running.exit).code, 0);
    bed.delete();
  }),
);

test(
  'events accepts an interval longer than any timer, and a fraction of a millisecond',
  onBed(async (bed) => {
    bed.started();
    const streams = ['999999h', '1.5ms'].map((interval) => bed.spawn(['events', `--interval=${interval}`, bed.id]));
    const [long, short] = streams as [(typeof streams)[0], (typeof streams)[0]];
    await eventually('lines', () => lines(long.stdout()).length === 1 && lines(short.stdout()).length > 2);
    bed.kill('KILL');
    for (const stream of streams) assert.is((await stream.exit).code, 0);
    assert.is(lines(long.stdout()).length, 1);
    bed.delete();
  }),
);

const hog = 'until [ -e /go ]; do sleep 0.05; done; dd if=/dev/zero of=/tmp/f bs=1M count=64 2>/dev/null; sleep 1000';

function hungry(bed: Bed): void {
  bed.config.linux.resources.memory = { limit: 16 << 20, swap: 16 << 20 };
  bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: [] });
  bed.config.process.args = ['/bin/sh', '-c', hog];
}
/** Lets the process allocate. */
const go = (bed: Bed): void => writeFileSync(join(bed.rootfs, 'go'), '');

test(
  'events reports an out-of-memory kill at once, even with a long interval',
  onBed(async (bed) => {
    hungry(bed);
    assert.is(bed.create().code, 0);
    const running = bed.spawn(['events', '--interval=1h', bed.id]);
    await eventually('the first line', () => lines(running.stdout()).length === 1);
    assert.is(bed.start().code, 0);
    go(bed);
    await eventually('oom', () => lines(running.stdout()).some((line) => line.type === 'oom'));
    assert.equal(
      lines(running.stdout()).find((line) => line.type === 'oom'),
      { type: 'oom', id: bed.id },
    );
    bed.delete('--force');
    const { code, stdout, stderr } = await running.exit;
    assert.is(code, 0, stderr);
    // The removal of a cgroup is not an out-of-memory event.
    assert.is(lines(stdout).filter((line) => line.type === 'stats').length, 1);
  }),
);

test(
  'the async iterator of Node.js blocks nothing and leaves nothing open',
  onBed(async (bed) => {
    hungry(bed);
    assert.is(bed.create().code, 0);
    const seen: string[] = [];
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    bed.start();
    try {
      for await (const event of events({ root: bed.root, id: bed.id, interval: 3_600_000 })) {
        seen.push(event.type);
        // While the iterator waits for the next event.
        if (event.type === 'stats') void eventually('a timer beside it ticks', () => ticks > 5).then(() => go(bed));
        if (event.type === 'oom') break;
      }
    } finally {
      clearInterval(timer);
    }
    assert.equal(seen, ['stats', 'oom']);
    bed.delete('--force');
  }),
);

test(
  'events refuses a stopped or unknown container and an invalid interval',
  onBed((bed) => {
    assert.match(bed.runt(['events', bed.id]).stderr, 'container does not exist');
    bed.started(['/true']);
    bed.until('stopped');
    const r = bed.runt(['events', bed.id]);
    assert.equal([r.code, r.stderr], [1, `runt: container with id ${bed.id} is not running: it is stopped\n`]);
    for (const bad of ['-1s', '0s', '5x', 'soon']) {
      assert.match(bed.runt(['events', `--interval=${bad}`, bed.id]).stderr, 'flag --interval needs a duration');
    }
    bed.delete();
  }),
);

withRunc(
  "runt reads the same statistics from the cgroup of runc's container as runc prints",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.linux.resources = {
      memory: { limit: 64 << 20 },
      pids: { limit: 9 },
      cpu: { quota: 50000, period: 100000 },
    };
    bed.write();
    const runc = (...args: string[]) => bed.runt(args, { program: 'runc' });
    try {
      assert.is(runc('run', '-d', '--bundle', bed.bundle, bed.id).code, 0);
      const ask = () => runc('events', '--stats', bed.id).stdout;
      const read = () => toJson(statsJson(readStats(readCgroupFacts(), cgroupsNamed(bed.id))));
      // runt's result between two equal ones of runc: nothing has changed then.
      let [raw, exact] = ['', ''];
      for (let next = ask(), tries = 0; raw !== next; next = ask()) {
        assert.ok(++tries < 50, 'the numbers never rest');
        raw = next;
        exact = read();
      }
      const theirs = JSON.parse(raw).data;
      const ours = JSON.parse(exact);
      // runc reads nothing of the v2 hierarchy beside v1: no pressure, no huge pages.
      ours.hugetlb = {};
      for (const part of ['cpu', 'memory', 'blkio']) delete ours[part].psi;
      assert.equal(Object.keys(ours), Object.keys(theirs));
      for (const part of Object.keys(theirs)) {
        if (theirs[part] === null) assert.is(ours[part], null);
        else assert.equal(Object.keys(ours[part]), Object.keys(theirs[part]), part);
      }
      assert.equal(ours, theirs);
      for (const text of [raw, exact]) assert.match(text, '"limit":9223372036854771712');
    } finally {
      runc('delete', '--force', bed.id);
    }
  }),
);

test.run();
withRunc.run();
