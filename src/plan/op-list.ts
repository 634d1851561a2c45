/** The list of a plan's operations. Those that a config has by thousands are made when they are read. */
import { type Encoding, encoders, type OpEncoder } from '../../build/gen/op-encoders.js';
import { type Op, type OpName, type OpOf, ops, type PlanOf } from './plan-ops.js';

/** Makes the operations of one part of the config: a path of 30 bytes takes 200 as an operation. */
export interface OpMaker {
  readonly by: 'runtime' | 'init';
  /** The operation of an index; an equal one each time. */
  op(index: number): Op;
  /**
   * The fields of `count` operations from `index` on, where there is a shorter way than to make each of them. `at`: the
   * index of the first in the plan.
   */
  encode?(index: number, count: number, at: number, w: Encoding): string;
}

/** An operation, or the number of one that is made when it is read. */
export type OpEntry = Op | number;

/** Bits of an operation's index. A config has at most 16 MiB, and each operation takes some bytes of it. */
const indexBits = 24;
const indexMask = (1 << indexBits) - 1;

/** The makers of a plan. */
export class OpMakers {
  private readonly all: OpMaker[] = [];

  /** Adds a maker. Returns the number of its operation 0; that of operation 1 is one more. */
  add(maker: OpMaker): number {
    this.all.push(maker);
    return (this.all.length - 1) << indexBits;
  }

  of(number: number): OpMaker {
    return this.all[number >> indexBits] as OpMaker;
  }

  op(entry: OpEntry): Op {
    return typeof entry === 'number' ? this.of(entry).op(entry & indexMask) : entry;
  }

  /** The fields of `count` operations with numbers from `number` on; '' for those of the runtime. */
  encode(number: number, count: number, at: number, w: Encoding): string {
    const maker = this.of(number);
    const first = number & indexMask;
    if (maker.by === 'runtime') return '';
    if (maker.encode) return maker.encode(first, count, at, w);
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      const op = maker.op(first + i);
      texts[i] = (encoders[op.op] as OpEncoder)(op, at + i, w);
    }
    return texts.join('');
  }
}

/** Operations, some of which are made each time that they are read. */
export class OpList implements Iterable<Op> {
  constructor(
    readonly entries: readonly OpEntry[],
    readonly makers: OpMakers,
  ) {}

  get length(): number {
    return this.entries.length;
  }

  at(index: number): Op | undefined {
    const entry = this.entries[index];
    return entry === undefined ? undefined : this.makers.op(entry);
  }

  *[Symbol.iterator](): Generator<Op, undefined> {
    for (const entry of this.entries) yield this.makers.op(entry);
  }
}

/** The operations of a plan, in order. */
type Ops = readonly Op[] | OpList;

/** The ordered list of all operations for one container. */
export type Plan = PlanOf<Ops>;

/** The entries of a list. */
export const entriesOf = (ops: Ops): readonly OpEntry[] => (ops instanceof OpList ? ops.entries : ops);

/** The operations of a name, but for those that are made when they are read: no code looks for them by name. */
export function opsNamed<N extends OpName>(ops: Ops, name: N): OpOf<N>[] {
  const found: OpOf<N>[] = [];
  const entries = entriesOf(ops);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as OpEntry;
    if (typeof entry !== 'number' && entry.op === name) found.push(entry as OpOf<N>);
  }
  return found;
}

/** The index of the first operation of a name, or -1; not of those that are made when they are read. */
export function indexOfOp(ops: Ops, name: OpName): number {
  return entriesOf(ops).findIndex((entry) => typeof entry !== 'number' && entry.op === name);
}

/** The index of the next operation from `from` on that `by` performs; the length if there is none. */
export function nextOf(list: Ops, by: 'runtime' | 'init', from: number): number {
  const entries = entriesOf(list);
  let i = from;
  for (; i < entries.length; i++) {
    const entry = entries[i] as OpEntry;
    if ((typeof entry === 'number' ? (list as OpList).makers.of(entry) : ops[entry.op]).by === by) break;
  }
  return i;
}
