import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertions } from '../../conformance/runtime-tools/tap.mjs';

const lines = (...text: string[]): [string, string][] => [
  ...assertions(['TAP version 13', ...text, '1..9', ''].join('\n')),
];

test('an assertion is named by its description, and by a number too when the description is repeated', () => {
  assert.equal(lines('ok 1 - a', 'not ok 2 - b', 'ok 3 - a', '# a remark', 'not ok 4'), [
    ['a', 'passed'],
    ['b', 'failed'],
    ['a (2)', 'passed'],
    ['nameless', 'failed'],
  ]);
});

test('an assertion with SKIP or TODO counts as skipped, neither passed nor failed', () => {
  assert.equal(lines('ok 1 # SKIP no c here', 'not ok 2 - d # TODO later', 'ok 3 - e # SKIP'), [
    ['no c here', 'skipped'],
    ['d', 'skipped'],
    ['e', 'skipped'],
  ]);
});

test('temporary paths and ids, which differ from run to run, are replaced in the description', () => {
  assert.equal(lines('ok 1 - /tmp/ocitest123456789 of 0b5ad00a-7c1f-4a83-9e0c-0123456789ab'), [
    ['/tmp/ocitestN of ID', 'passed'],
  ]);
});

test('TAP quoted in a diagnostic belongs to the assertion before the diagnostic', () => {
  const inner = JSON.stringify({ stdout: 'TAP version 13\nok 1 - x\nnot ok 2 - y\n1..2\n', stderr: '' }, null, 2);
  assert.equal(lines('  ---', inner, '  ...', 'not ok 1 - outer', '  ---', '{"error": "e"}', '  ...', 'ok 2 - next'), [
    ['outer', 'failed'],
    ['outer › x', 'passed'],
    ['outer › y', 'failed'],
    ['next', 'passed'],
  ]);
});

test('lines of a diagnostic that look like assertions are not counted', () => {
  assert.equal(lines('ok 1 - a', '  ---', '{"stderr": "', 'not ok 2 - b', '"}', '  ...'), [['a', 'passed']]);
});

test.run();
