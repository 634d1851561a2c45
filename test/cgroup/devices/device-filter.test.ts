/** Device filters as BPF, run by a small interpreter without a kernel, with every kind of access. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { filterProgram } from '../../../src/cgroup/devices/device-filter.js';
import { allowedInOrder, meant, run } from './filter-interpreter.js';
import { filterRule, orderedRule } from './filter-rule.js';

const lists = [
  [],
  ['c 1:3 rwm'],
  ['c *:* m', 'b *:* m', 'c 1:3 rwm', 'c 136:* rwm', 'c *:5 r'],
  ['b 8:0 r', 'b 8:0 w', 'c 4294967295:2147483648 rw', 'b 8:* m'],
  ['c *:* rwm'],
];
const numbers = [0, 1, 3, 5, 8, 136, 2147483648, 4294967295];
const accesses = ['m', 'r', 'w', 'rw', 'rwm'];

for (const allow of [false, true]) {
  for (const lines of lists) {
    test(`${allow ? 'allow' : 'deny'} all but [${lines.join(', ')}]`, () => {
      const program = filterProgram({ allow, exceptions: lines.map(filterRule) });
      for (const type of ['b', 'c'] as const) {
        for (const major of numbers) {
          for (const minor of numbers) {
            for (const access of accesses) {
              const q = { type, major, minor, access };
              assert.is(run(program, q), meant(allow, lines, q), JSON.stringify(q));
            }
          }
        }
      }
    });
  }
}

const orders = [
  ['allow c 4:* rwm', 'deny c 4:64 w'],
  ['deny c *:* w', 'allow c 1:3 rwm'],
  ['allow c *:5 r', 'deny c 136:* rw', 'allow c 136:5 w', 'deny b *:* m'],
  ['allow c 1:* r', 'allow c *:3 w', 'allow c 1:3 m', 'deny c 4294967295:2147483648 r'],
  ['deny c *:* rwm', 'allow b *:* rwm', 'deny b 8:0 m'],
];
const more = [...numbers, 4, 64];

for (const allow of [false, true]) {
  for (const lines of orders) {
    test(`${allow ? 'allow' : 'deny'} all, then ${lines.join(', then ')}: the last match decides`, () => {
      const program = filterProgram({ allow, ordered: lines.map(orderedRule) });
      for (const type of ['b', 'c'] as const)
        for (const major of more)
          for (const minor of more)
            for (const access of accesses) {
              const q = { type, major, minor, access };
              assert.is(run(program, q), allowedInOrder(allow, lines, q), JSON.stringify(q));
            }
    });
  }
}

test.run();
