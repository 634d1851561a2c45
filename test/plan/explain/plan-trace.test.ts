/** --trace in Chrome's trace format. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { traceJson } from '../../../src/plan/explain/plan-trace.js';
import type { Plan } from '../../../src/plan/op-list.js';

const plan: Plan = {
  version: 1,
  ops: [
    { op: 'stateDir', at: '', path: '/r/web' },
    { op: 'hostname', at: '/hostname', name: 'web' },
  ],
};

test('each span is one complete event, in microseconds since the first', () => {
  const spans = [
    { index: 1, start: 9_007_199_254_740_993_500n, end: 9_007_199_254_740_995_000n },
    { index: 0, start: 9_007_199_254_740_992_500n, end: 9_007_199_254_740_993_000n },
  ];
  const own = [{ name: 'load', start: 9_007_199_254_740_991_500n, end: 9_007_199_254_740_992_000n }];
  const { traceEvents } = JSON.parse(traceJson(plan, spans, own));
  const events = traceEvents.filter((e: { ph: string }) => e.ph === 'X');
  assert.equal(events, [
    { name: 'load', cat: 'runtime', ph: 'X', pid: 1, tid: 1, ts: 0, dur: 0.5 },
    {
      name: 'set the hostname web',
      cat: 'init',
      ph: 'X',
      pid: 1,
      tid: 2,
      ts: 2,
      dur: 1.5,
      args: { index: 1, op: 'hostname', at: '/hostname' },
    },
    {
      name: 'make the state directory /r/web',
      cat: 'runtime',
      ph: 'X',
      pid: 1,
      tid: 1,
      ts: 1,
      dur: 0.5,
      args: { index: 0, op: 'stateDir', at: '' },
    },
  ]);
  assert.equal(
    traceEvents.filter((e: { ph: string }) => e.ph === 'M').map((e: { args: { name: string } }) => e.args.name),
    ['runt', 'runtime', 'runt-init'],
  );
});

test('a span of an unknown operation is refused', () => {
  assert.throws(() => traceJson(plan, [{ index: 2, start: 0n, end: 1n }], []), /no operation 2/);
});

test('a trace without spans has only the metadata events', () => {
  assert.is(JSON.parse(traceJson(plan, [], [])).traceEvents.length, 3);
});

test.run();
