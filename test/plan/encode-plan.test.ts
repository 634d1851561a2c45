/** The plan's bytes in parts: the same as in one, however long the plan is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeParts, encodePlan } from '../../src/plan/encode-plan.js';
import type { Op } from '../../src/plan/plan-ops.js';
import { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';

useNodeHost([]);
const test = suite('encode plan');
const options = { trace: false, startSocket: 7, slots: [4, -1] };

const masks = (count: number, path: string): Op[] =>
  Array.from({ length: count }, (_, i) => ({
    op: 'readonlyPath',
    at: `/linux/readonlyPaths/${i}`,
    path: `${path}${i}`,
  }));

test('a long plan has several parts, with one head before the operations', () => {
  for (const [ops, parts] of [
    [masks(3, '/a'), 1],
    [masks(20_000, '/a/long/path/of/a/mask/'), 10],
    [masks(3, `/${'x'.repeat(100_000)}`), 5],
  ] as const) {
    const plan = { version: 1, ops } as const;
    const encoded = encodeParts(plan, options);
    assert.ok(encoded.length >= parts && (parts > 1 || encoded.length === 1), `${encoded.length}`);
    const text = Buffer.concat(encoded).toString();
    const body = ops.map((op, i) => `46\0${i}\0${(op as { path: string }).path}\0`).join('');
    assert.ok(text === `runt-plan-1\0${ops.length}\x000\x007\x002\x004\0\0${body}`);
    assert.ok(text === Buffer.from(encodePlan(plan, options)).toString());
  }
});

test('a NUL in any part is refused, with the operation that has it', () => {
  for (const at of [0, 10_000, 19_999]) {
    const ops = masks(20_000, '/a/long/path/of/a/mask/');
    ops[at] = { op: 'readonlyPath', at: '/linux/readonlyPaths/x', path: '/a\0b' };
    assert.throws(
      () => encodeParts({ version: 1, ops }, options),
      (e: RuntError) => e instanceof RuntError && e.code === 'ERR_SPEC_VALUE' && e.pointer === '/linux/readonlyPaths/x',
    );
  }
});

test.run();
