/** The list of a plan's operations. Those that a config has by thousands are made when they are read. */
import { type Encoding, encoders, type OpEncoder } from '../../build/gen/op-encoders.js';
import type { Op, OpName, OpOf, PlanOf } from './plan-ops.js';

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
/** Fewer operations of a part of the config are made at once. */
const few = 12;

const ofEach = 1 << indexBits;
const indexMask = ofEach - 1;

/** The makers of a plan. */
export class OpMakers {
  private readonly all: OpMaker[] = [];

  /**
   * Adds a maker of `count` operations. Returns the number of operation 0; that of operation 1 is one more. Undefined
   * for few: made at once, these take fewer instructions.
   */
  add(maker: OpMaker, count: number): number | undefined {
    if (count < few) return undefined;
    this.all.push(maker);
    return (this.all.length - 1) << indexBits;
  }

  /** Whether no entry is a number: loops over small plans need no typeof, which would be 1 % of `create`. */
  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  /** The list of a plan's entries, which has no numbers if no maker was added. */
  list(entries: readonly OpEntry[]): Ops {
    return new OpList(entries, this);
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
class OpList implements Iterable<Op> {
  /** Made at the first look for a name. */
  byName: OpsByName | undefined;

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

/** The makers of a list; undefined if no entry is a number. */
export const makersOf = (ops: Ops): OpMakers | undefined =>
  'makers' in ops && !ops.makers.isEmpty ? ops.makers : undefined;

/** The entries of a list. */
export const entriesOf = (ops: Ops): readonly OpEntry[] => ('makers' in ops ? ops.entries : ops);

/** The names that code looks for. No operation of such a name is made when it is read. */
type SoughtName =
  | 'cgroupFork'
  | 'clone'
  | 'fork'
  | 'makeLayer'
  | 'namedUser'
  | 'seccomp'
  | 'stdioOwner'
  | 'sync'
  | 'systemdScope'
  | 'unshareMounts'
  | 'wait';

type OpsByName = { readonly [N in SoughtName]: OpOf<N>[] };

/** All of those in one loop: a command looks for several. */
function sought(entries: readonly OpEntry[]): OpsByName {
  const found: OpsByName = {
    cgroupFork: [],
    clone: [],
    fork: [],
    makeLayer: [],
    namedUser: [],
    seccomp: [],
    stdioOwner: [],
    sync: [],
    systemdScope: [],
    unshareMounts: [],
    wait: [],
  };
  for (const entry of entries) {
    if (typeof entry !== 'number') (found as { readonly [name in OpName]?: Op[] })[entry.op]?.push(entry);
  }
  return found;
}

/** The operations of a name, in their order. */
export function opsNamed<N extends SoughtName>(list: Ops, name: N): readonly OpOf<N>[] {
  if (!('makers' in list)) return list.filter((op): op is OpOf<N> => op.op === name);
  list.byName ??= sought(list.entries);
  return list.byName[name];
}

/** The index of the first operation of a name, or -1. */
export function indexOfOp(list: Ops, name: SoughtName): number {
  const first = opsNamed(list, name)[0];
  return first ? entriesOf(list).indexOf(first) : -1;
}

/**
 * The first index from `from` on, of a number, whose operation is not made for runt-init: the runtime need not look at
 * those.
 */
export function afterMade(entries: readonly OpEntry[], makers: OpMakers, from: number): number {
  let maker: OpMaker | undefined;
  let least = 0;
  let i = from;
  for (; i < entries.length; i++) {
    const entry = entries[i] as OpEntry;
    if (typeof entry !== 'number') break;
    if (maker && entry >= least && entry < least + ofEach) continue;
    maker = makers.of(entry);
    least = entry - (entry & indexMask);
    if (maker.by === 'runtime') break;
  }
  return i;
}
