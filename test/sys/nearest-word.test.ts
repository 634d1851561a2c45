/** Suggestions: a near word is found, a far one is not offered. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nearest } from '../../src/sys/nearest-word.js';

const words = ['create', 'delete', 'start', 'state', 'kill', 'run', 'list'];

test('one wrong, missing, added or exchanged letter is corrected', () => {
  assert.is(nearest('creste', words), 'create');
  assert.is(nearest('crete', words), 'create');
  assert.is(nearest('creaate', words), 'create');
  assert.is(nearest('craete', words), 'create');
  assert.is(nearest('rnu', words), 'run');
});

test('the nearest of several words is offered', () => {
  assert.is(nearest('stat', words), 'start');
  assert.is(nearest('statte', words), 'state');
});

test('a word that is not a typing error gets no suggestion', () => {
  assert.is(nearest('ps', words), undefined);
  assert.is(nearest('checkpoint', words), undefined);
  assert.is(nearest('', words), undefined);
});

test('a prefix that all candidates share does not count', () => {
  const limits = ['RLIMIT_CPU', 'RLIMIT_CORE', 'RLIMIT_NOFILE', 'RLIMIT_STACK'];
  assert.is(nearest('RLIMIT_FOO', limits), undefined);
  assert.is(nearest('RLIMIT_NOFIEL', limits), 'RLIMIT_NOFILE');
  assert.is(nearest('RLIMIT_STACKS', limits), 'RLIMIT_STACK');
  assert.is(nearest('RLIMT_STACK', limits), 'RLIMIT_STACK');
  assert.is(nearest('CAP_BAR', ['CAP_MKNOD', 'CAP_BPF', 'CAP_CHOWN']), undefined);
});

test('a long word is not near to one that differs in many letters', () => {
  assert.is(nearest('aSoundWayOfNamingThings', ['aRoundBayOfTamingKinds']), undefined);
});

test.run();
