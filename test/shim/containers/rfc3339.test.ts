/** Times as text, read back. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nanosecondsOf } from '../../../src/shim/containers/rfc3339.js';
import { timestamp } from '../../../src/sys/timestamp.js';

test('a written timestamp reads as the same nanoseconds', () => {
  for (const ns of [0n, 1n, 951_782_399_999_999_999n, 951_782_400_000_000_000n, 1_709_164_800_000_000_001n])
    assert.is(nanosecondsOf(timestamp(ns)), ns);
});

test('any date reads as with Date, in leap years and at the ends of months', () => {
  for (let day = 0; day < 60_000; day += 13) {
    const date = new Date(day * 86_400_000 + 12_345_678);
    assert.is(nanosecondsOf(date.toISOString()), BigInt(date.getTime()) * 1_000_000n);
  }
});

test('a fraction has any number of digits; another text has no time', () => {
  assert.is(nanosecondsOf('1970-01-01T00:00:01Z'), 1_000_000_000n);
  assert.is(nanosecondsOf('1970-01-01T00:00:01.5Z'), 1_500_000_000n);
  assert.is(nanosecondsOf('1970-01-01T00:00:01.1234567899Z'), 1_123_456_789n);
  for (const text of ['', '1970-01-01', '1970-01-01T00:00:01+01:00', 'x1970-01-01T00:00:01Z'])
    assert.is(nanosecondsOf(text), undefined);
});

test.run();
