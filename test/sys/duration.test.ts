/** Durations in Go's syntax. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDuration, parseSeconds } from '../../src/sys/duration.js';

for (const [text, ms] of [
  ['5s', 5000],
  ['100ms', 100],
  ['1m30s', 90000],
  ['1.5h', 5400000],
  ['2h45m0.5s', 9900500],
  ['250us', 0.25],
  ['0', 0],
  ['5', 5000],
  ['+1s', 1000],
  ['.5s', 500],
  ['4.1m', 246_000],
  ['1ns', 0.000001],
  ['2635200h', 300 * 366 * 86_400_000],
] as const) {
  test(`${text} is ${ms} ms`, () => assert.is(parseDuration(text), ms));
}
for (const text of [
  '',
  's',
  '-5s',
  '5 s',
  '1d',
  '1.2.3s',
  '.s',
  '1s2',
  '+',
  '2635201h',
  '99999999999999h',
  `${'9'.repeat(400)}s`,
]) {
  test(`"${text}" is not a duration`, () => assert.is(parseDuration(text), undefined));
}
test('parseSeconds takes whole seconds only', () => {
  for (const [text, seconds] of [
    ['0', 0],
    ['90', 90],
    ['1m30s', 90],
    ['2000ms', 2],
    ['999999999', 999_999_999],
    ['277777h46m39s', 999_999_999],
    ['4.35m', 261],
    ['0.29h', 1044],
  ] as const)
    assert.is(parseSeconds(text), seconds, text);
  for (const text of ['', 'soon', '-1', '1.5', '1.5s', '500ms', '1ns', '1s1ns', '1000000000', '999999h'])
    assert.is(parseSeconds(text), undefined, text);
});
test.run();
