/** explain --diff: the removed, added, changed and moved operations between two plans. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explainDiff, explainDiffJson, planDiff } from '../../../src/plan/explain/plan-diff.js';
import type { Plan } from '../../../src/plan/op-list.js';
import type { Op } from '../../../src/plan/plan-ops.js';

const plan = (...ops: Op[]): Plan => ({ version: 1, ops });
const mask = (path: string, at = ''): Op => ({ op: 'mask', at, path });
const host = (name: string): Op => ({ op: 'hostname', at: '/hostname', name });
const kinds = (a: Plan, b: Plan): string[] =>
  planDiff(a, b).map((c) => {
    const paths = ['before' in c ? c.before : undefined, 'after' in c ? c.after : undefined].map((op) =>
      op?.op === 'mask' ? op.path : op?.op,
    );
    return [c.change, ...paths.filter((p) => p !== undefined)].join(' ');
  });

test('equal plans do not differ, whatever their pointers are', () => {
  const a = plan(mask('/a', '/linux/maskedPaths/0'), host('x'));
  const b = plan(mask('/a', '/linux/maskedPaths/5'), host('x'));
  assert.equal(planDiff(a, b), []);
  assert.is(explainDiff(a, b, { colour: false }), 'no difference\n');
  assert.equal(JSON.parse(explainDiffJson(a, b)), { version: 1, changes: [] });
});

test('removed and added operations are listed at their position in the order', () => {
  const a = plan(mask('/a'), mask('/b'), mask('/c'));
  const b = plan(mask('/a'), mask('/c'), mask('/d'));
  assert.equal(kinds(a, b), ['removed /b', 'added /d']);
  assert.equal(kinds(b, a), ['added /b', 'removed /d']);
});

test('an operation on the same target with other fields is listed as changed', () => {
  assert.equal(kinds(plan(host('x'), mask('/a')), plan(host('y'), mask('/a'))), ['changed hostname hostname']);
});

test('the same operation at another position is listed as moved', () => {
  assert.equal(kinds(plan(mask('/a'), mask('/b'), mask('/c')), plan(mask('/c'), mask('/a'), mask('/b'))), [
    'moved /c /c',
  ]);
});

test('repeated operations are counted', () => {
  assert.equal(kinds(plan(mask('/a')), plan(mask('/a'), mask('/a'))), ['added /a']);
  assert.equal(kinds(plan(mask('/a'), mask('/a'), mask('/a')), plan(mask('/a'))), ['removed /a', 'removed /a']);
});

test('a bigint and the same number are equal', () => {
  const limit = (hard: number | bigint): Op => ({ op: 'rlimit', at: '', resource: 7, soft: 1, hard });
  assert.equal(planDiff(plan(limit(5)), plan(limit(5n))), []);
  assert.is(planDiff(plan(limit(18446744073709551614n)), plan(limit(18446744073709551615n))).length, 1);
});

test('the differences applied to the first plan give the second, for many pairs', () => {
  // A small generator with a fixed seed makes the same pairs on each run.
  let seed = 1;
  const next = (n: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % n;
  };
  for (let round = 0; round < 300; round++) {
    const make = (): Op[] => Array.from({ length: next(12) }, () => mask(`/${'abcde'[next(5)]}`));
    const [a, b] = [make(), make()];
    const changes = planDiff(plan(...a), plan(...b));
    const gone = new Set(changes.flatMap((c) => ('a' in c ? [c.a] : [])));
    const come = new Map(changes.flatMap((c) => ('b' in c ? [[c.b, c.after] as const] : [])));
    const kept = a.filter((_, i) => !gone.has(i));
    const result = b.map((_, j) => come.get(j) ?? kept.shift());
    assert.equal(result, b);
    assert.equal(kept, []);
  }
});

test('the text has - for the first plan and + for the second, aligned', () => {
  const a = plan(mask('/a', '/linux/maskedPaths/0'), host('x'));
  const b = plan(host('long-name'), mask('/b', '/linux/maskedPaths/0'));
  assert.is(
    explainDiff(a, b, { colour: false }),
    `1 removed, 1 added, 1 changed

- 0  mask      /a         /linux/maskedPaths/0
- 1  hostname  x          /hostname
+ 0  hostname  long-name  /hostname
+ 1  mask      /b         /linux/maskedPaths/0
`,
  );
  assert.match(explainDiff(a, b, { colour: true }), '\x1b[31m- 0');
  assert.match(explainDiff(a, b, { colour: true }), '\x1b[32m+ 0');
});

test('the JSON form has both sides of a change', () => {
  const { changes } = JSON.parse(explainDiffJson(plan(host('x')), plan(mask('/m'), host('y'))));
  assert.equal(
    changes.map((c: { change: string }) => c.change),
    ['added', 'changed'],
  );
  assert.is(changes[1].before.fields.name, 'x');
  assert.is(changes[1].before.index, 0);
  assert.is(changes[1].after.fields.name, 'y');
  assert.is(changes[1].after.index, 1);
});

test.run();
