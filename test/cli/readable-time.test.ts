/** Times as `debug` prints them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readableTime } from '../../src/cli/readable-time.js';

test('a timestamp is printed as date, clock and age', () => {
  for (const text of [
    '1970-01-01T00:00:00Z',
    '2000-02-29T23:59:59.5Z',
    '2026-11-29T03:04:35.123456789Z',
    '2100-03-01T00:00:00Z',
  ]) {
    const seconds = Math.floor(Date.parse(text) / 1000);
    const at = (age: number): string => readableTime(text, seconds + age);
    const plain = text.slice(0, 19).replace('T', ' ');
    assert.is(at(0), `${plain} UTC (0 s ago)`);
    assert.is(at(59), `${plain} UTC (59 s ago)`);
    assert.is(at(3599), `${plain} UTC (59 min ago)`);
    assert.is(at(86_399), `${plain} UTC (23 h ago)`);
    assert.is(at(86_400 * 40), `${plain} UTC (40 d ago)`);
    assert.is(at(-5), `${plain} UTC`, 'a clock that was set back');
  }
});

test('a text that is not a timestamp is printed unchanged', () => {
  assert.is(readableTime('yesterday', 0), 'yesterday');
});

test.run();
