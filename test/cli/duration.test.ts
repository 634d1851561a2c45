/** Durations in Go's form. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDuration } from '../../src/cli/duration.js';

for (const [text, ms] of [
  ['5s', 5000],
  ['100ms', 100],
  ['1m30s', 90000],
  ['1.5h', 5400000],
  ['2h45m0.5s', 9900500],
  ['250us', 0.25],
  ['0', 0],
  ['+1s', 1000],
  ['.5s', 500],
] as const) {
  test(text, () => assert.is(parseDuration(text), ms));
}
for (const text of ['', '5', 's', '-5s', '5 s', '1d', '1.2.3s', '.s', '1s2', '+']) {
  test(`"${text}" is none`, () => assert.is(parseDuration(text), undefined));
}
test.run();
