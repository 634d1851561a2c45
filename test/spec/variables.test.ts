/** Environment variables that replace others. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withVariables } from '../../src/spec/variables.js';

test('the last value of a name counts, and replaces that of the base', () => {
  assert.equal(withVariables(['A=1', 'AB=2', 'A=3'], ['C=4', 'A=5', 'C=6=7', 'D=']), ['AB=2', 'A=5', 'C=6=7', 'D=']);
  assert.equal(withVariables(['A=1'], []), ['A=1']);
  assert.equal(withVariables([], ['__proto__=1']), ['__proto__=1']);
});

test('100,000 variables are merged in less than 2 s of CPU time', () => {
  const entries = Array.from({ length: 100_000 }, (_, i) => `A${i}=1`);
  // CPU time, so that a busy machine makes no difference.
  const began = process.cpuUsage();
  assert.is(withVariables(entries, entries).length, 100_000);
  assert.ok(process.cpuUsage(began).user < 2_000_000);
});

test.run();
