/** `--trace`: the time of each operation, in the Trace Event Format that Chrome and Perfetto load. */
import { toJson } from '../../spec/json/exact-json.js';
import type { Plan } from '../op-list.js';
import { ops } from '../plan-ops.js';
import { sentence } from './op-messages.js';

/** Times are CLOCK_MONOTONIC in ns. */
interface OpSpan {
  /** Index of the operation in the plan. */
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** A span of the runtime that is not an operation: loading, compiling … */
export interface OwnSpan {
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

// One row for each process: the runtime, and runt-init in the container.
const threads = { runtime: 1, init: 2 } as const;

/** One complete event (`ph` X) for each span; `ts` and `dur` are in µs, `ts` counted from the first span. */
export function traceJson(plan: Plan, spans: readonly OpSpan[], extra: readonly OwnSpan[]): string {
  const first = [...spans, ...extra].reduce<bigint | undefined>(
    (m, s) => (m === undefined || s.start < m ? s.start : m),
    undefined,
  );
  const times = (s: { start: bigint; end: bigint }): object => ({
    ts: microseconds(s.start - (first ?? 0n)),
    dur: microseconds(s.end - s.start),
  });
  const events: object[] = [
    { name: 'process_name', ph: 'M', pid: 1, tid: 0, args: { name: 'runt' } },
    { name: 'thread_name', ph: 'M', pid: 1, tid: threads.runtime, args: { name: 'runtime' } },
    { name: 'thread_name', ph: 'M', pid: 1, tid: threads.init, args: { name: 'runt-init' } },
  ];
  for (const span of extra) {
    events.push({ name: span.name, cat: 'runtime', ph: 'X', pid: 1, tid: threads.runtime, ...times(span) });
  }
  for (const span of spans) {
    const op = plan.ops.at(span.index);
    if (op === undefined) throw new RangeError(`no operation ${span.index} in a plan of ${plan.ops.length}`);
    const { by } = ops[op.op];
    const args = { index: span.index, op: op.op, at: op.at };
    events.push({ name: sentence(op), cat: by, ph: 'X', pid: 1, tid: threads[by], ...times(span), args });
  }
  return `${toJson({ displayTimeUnit: 'ns', traceEvents: events }, ' ')}\n`;
}

/** Nanoseconds as µs; a trace is far shorter than the 2^53 ns that a number holds exactly. */
function microseconds(ns: bigint): number {
  return Number(ns) / 1000;
}
