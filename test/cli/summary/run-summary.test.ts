/** The text of `run --summary`. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sizeText, timeText } from '../../../src/cli/summary/quantities.js';
import { summaryText } from '../../../src/cli/summary/run-summary.js';
import type { ExitRecord } from '../../../src/container/state/exit-records.js';

const record: ExitRecord = {
  pid: 7,
  status: 0,
  signal: 0,
  reason: 'exited',
  createdAt: '2026-11-30T10:00:00.900000000Z',
  startedAt: '2026-11-30T10:00:01.000000000Z',
  exitedAt: '2026-11-30T10:00:02.250000000Z',
  oom: false,
};

test('the first line has the end and the time since the start', () => {
  assert.is(summaryText('web', record), 'runt: web exited with status 0 after 1.250 s\n');
  const killed = { ...record, status: 137, signal: 9, reason: 'oom', oom: true } as const;
  assert.is(
    summaryText('web', killed),
    'runt: web was killed by SIGKILL after 1.250 s: the kernel killed for lack of memory\n',
  );
  const { startedAt: _, ...unknown } = record;
  assert.is(
    summaryText('web', { ...unknown, reason: 'timeout', status: 7 }),
    'runt: web exited with status 7: its time limit had passed\n',
  );
});

test('a line for each kind of usage, and none for what is not known', () => {
  const usage = {
    memoryPeak: 12.5 * 2 ** 20,
    cpuTotal: 2e8,
    cpuUser: 1.5e8,
    cpuKernel: 5e7,
    ioRead: 1023,
    ioWritten: 0,
  };
  assert.is(
    summaryText('web', { ...record, usage: { ...usage, pidsPeak: 3 } }),
    `runt: web exited with status 0 after 1.250 s
  CPU time     0.200 s (user 0.150 s, kernel 0.050 s)
  memory       12.5 MiB at most
  disks        1023 B read, 0 B written
  processes    3 at most
`,
  );
  assert.is(
    summaryText('web', { ...record, usage: { cpuTotal: 1e6 } }),
    'runt: web exited with status 0 after 1.250 s\n  CPU time     0.001 s\n',
  );
});

test('sizes and times have units that people read', () => {
  assert.equal([0, 1023, 1024, 1536, 2 ** 20, 2.5 * 2 ** 30, 2 ** 60].map(sizeText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 MiB',
    '2.5 GiB',
    '1024.0 PiB',
  ]);
  assert.equal([0, 1e6, 59.9994e9, 59.9996e9, 62.54e9, 3600e9, 3661e9].map(timeText), [
    '0.000 s',
    '0.001 s',
    '59.999 s',
    '1 min 0.0 s',
    '1 min 2.5 s',
    '1 h 0 min 0.0 s',
    '1 h 1 min 1.0 s',
  ]);
});

test.run();
