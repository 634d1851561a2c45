/** Timestamps, compared with Date, which this host has. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nanosecondsOf, timestamp } from '../../src/sys/timestamp.js';

test('timestamps have nanoseconds', () => {
  assert.is(timestamp(0n), '1970-01-01T00:00:00.000000000Z');
  assert.is(timestamp(1700000000123456789n), '2023-11-14T22:13:20.123456789Z');
});

test('the first and the last second of each day of two centuries equal those of Date', () => {
  for (let day = 0; day < 73100; day++) {
    for (const second of [day * 86400, day * 86400 + 86399]) {
      const expected = new Date(second * 1000).toISOString().slice(0, 19);
      const ns = BigInt(second) * 1000000000n + 7n;
      assert.is(timestamp(ns), `${expected}.000000007Z`);
      if (day % 50 === 0) assert.is(nanosecondsOf(timestamp(ns)), ns);
    }
  }
});

test('times of others are read, and another text is the beginning of 1970', () => {
  assert.is(nanosecondsOf('2023-11-14T22:13:20Z'), 1700000000000000000n);
  assert.is(nanosecondsOf('2023-11-14T22:13:20.5Z'), 1700000000500000000n);
  assert.is(nanosecondsOf('yesterday'), 0n);
});

test.run();
