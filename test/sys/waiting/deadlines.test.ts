/** The heap of waits with a deadline, compared with a sorted list. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Deadlines, type TimedWait } from '../../../src/sys/waiting/deadlines.js';

test('the first wait is always the earliest one, after any additions and removals', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  const heap = new Deadlines<TimedWait>();
  const list: TimedWait[] = [];
  for (let step = 0; step < 20_000; step++) {
    // The heap grows and shrinks several times.
    if (random(100) < (step % 4000 < 2000 ? 60 : 40)) {
      const wait = { deadline: random(500), at: -1 };
      heap.add(wait);
      list.push(wait);
    } else if (list.length > 0) {
      const [wait] = list.splice(random(list.length), 1);
      heap.remove(wait as TimedWait);
      assert.is(wait?.at, -1);
    }
    assert.is(heap.first?.deadline, list.length > 0 ? Math.min(...list.map((w) => w.deadline)) : undefined);
  }
  for (const soonest of list.map((w) => w.deadline).sort((a, b) => a - b)) {
    assert.is(heap.first?.deadline, soonest);
    heap.remove(heap.first as TimedWait);
  }
  assert.is(heap.first, undefined);
});

test('a repeated removal is ignored', () => {
  const heap = new Deadlines<TimedWait>();
  const [a, b] = [1, 2].map((deadline) => ({ deadline, at: -1 })) as [TimedWait, TimedWait];
  heap.add(b);
  heap.add(a);
  heap.remove(a);
  heap.remove(a);
  assert.is(heap.first, b);
});

test.run();
