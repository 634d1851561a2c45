/** Timestamps, compared with Date, which this host has. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { timestamp } from '../../src/sys/timestamp.js';

test('timestamps have nanoseconds', () => {
  assert.is(timestamp(0n), '1970-01-01T00:00:00.000000000Z');
  assert.is(timestamp(1700000000123456789n), '2023-11-14T22:13:20.123456789Z');
});

test('the first and the last second of each day of two centuries equal those of Date', () => {
  for (let day = 0; day < 73100; day++) {
    for (const second of [day * 86400, day * 86400 + 86399]) {
      const expected = new Date(second * 1000).toISOString().slice(0, 19);
      assert.is(timestamp(BigInt(second) * 1000000000n + 7n), `${expected}.000000007Z`);
    }
  }
});

test.run();
