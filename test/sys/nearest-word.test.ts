/** Suggestions: a near word is found, a far one is not offered. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nearestWord } from '../../src/sys/nearest-word.js';

const words = ['create', 'delete', 'start', 'state', 'kill', 'run', 'list'];

test('one wrong, missing, added or exchanged letter is corrected', () => {
  assert.is(nearestWord('creste', words), 'create');
  assert.is(nearestWord('crete', words), 'create');
  assert.is(nearestWord('creaate', words), 'create');
  assert.is(nearestWord('craete', words), 'create');
  assert.is(nearestWord('rnu', words), 'run');
});

test('the nearest of several words is offered', () => {
  assert.is(nearestWord('stat', words), 'start');
  assert.is(nearestWord('statte', words), 'state');
});

test('a word that is not a typing error gets no suggestion', () => {
  assert.is(nearestWord('ps', words), undefined);
  assert.is(nearestWord('checkpoint', words), undefined);
  assert.is(nearestWord('', words), undefined);
});

test('a prefix that all candidates share does not count', () => {
  const limits = ['RLIMIT_CPU', 'RLIMIT_CORE', 'RLIMIT_NOFILE', 'RLIMIT_STACK'];
  assert.is(nearestWord('RLIMIT_FOO', limits), undefined);
  assert.is(nearestWord('RLIMIT_NOFIEL', limits), 'RLIMIT_NOFILE');
  assert.is(nearestWord('RLIMIT_STACKS', limits), 'RLIMIT_STACK');
  assert.is(nearestWord('RLIMT_STACK', limits), 'RLIMIT_STACK');
  assert.is(nearestWord('CAP_BAR', ['CAP_MKNOD', 'CAP_BPF', 'CAP_CHOWN']), undefined);
});

test('a long word is not near to one that differs in many letters', () => {
  assert.is(nearestWord('aSoundWayOfNamingThings', ['aRoundBayOfTamingKinds']), undefined);
});

test.run();
