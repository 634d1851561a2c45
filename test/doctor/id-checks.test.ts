/** Ranges of subordinate ids in /etc/subuid (subuid(5)). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { firstRange } from '../../src/doctor/checks/id-checks.js';

test('the first range of a user counts, by name or by uid', () => {
  const text = 'other:100000:65536\nme:165536:1000\n1000:300000:5\n';
  assert.equal(firstRange(text, ['me', '1000']), { start: 165536, size: 1000 });
  assert.equal(firstRange(text, ['1000']), { start: 300000, size: 5 });
});

test('an empty range, a damaged line and another user give none', () => {
  assert.is(firstRange('me:100000:0\nme:x:1\nme\n\n', ['me']), undefined);
  assert.is(firstRange('mean:100000:65536\n', ['me']), undefined);
});

test.run();
