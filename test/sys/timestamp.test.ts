/** Timestamps, against the Date of the host that has one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { timestamp } from '../../src/sys/timestamp.js';

test('nanoseconds are kept', () => {
  assert.is(timestamp(0n), '1970-01-01T00:00:00.000000000Z');
  assert.is(timestamp(1700000000123456789n), '2023-11-14T22:13:20.123456789Z');
});

test('each day of two centuries is what Date says, at its first and its last second', () => {
  for (let day = 0; day < 73100; day++) {
    for (const second of [day * 86400, day * 86400 + 86399]) {
      const expected = new Date(second * 1000).toISOString().slice(0, 19);
      assert.is(timestamp(BigInt(second) * 1000000000n + 7n), `${expected}.000000007Z`);
    }
  }
});

test.run();
