/** Plan → the bytes that runt-init reads (docs/internals.md, "The plan on the wire"). */
import { type Encoding, encoders } from '../../build/gen/op-encoders.js';
import { concatenate } from '../sys/append.js';
import { RuntError } from '../sys/error.js';
import { host } from '../sys/host.js';
import { countOfNuls } from '../sys/nul-list.js';
import { Protocol } from '../sys/protocol.js';
import { entriesOf, makersOf, type OpEntry, type Plan } from './op-list.js';
import { type Op, ops } from './plan-ops.js';

interface EncodeOptions {
  readonly trace: boolean;
  /** Descriptor of the listening start socket, or -1 if the start arrives on the sync socket. */
  readonly startSocket: number;
  /** Descriptors that the runtime puts into slots, by slot number. runt-init fills the slots after them. */
  readonly slots: readonly number[];
}

/** The text of a part: larger than nearly all plans. A plan of megabytes would exist as text and as bytes at once. */
const PART = 64 << 10;

/** Operations that one call of a maker encodes: some 20 KB of text. */
const RUN = 200;

/** Encodes as `encodePlan`, in parts of at least PART bytes, which follow each other. @throws as encodePlan */
export function encodeParts(plan: Plan, options: EncodeOptions): readonly [Uint8Array, ...Uint8Array[]] {
  const found: Encoding = { slots: options.slots.length, fields: 0, lists: new Map() };
  const parts: Uint8Array[] = [];
  // The first of them holds the head, once the slots are known.
  let encoded: string[] = [''];
  let count = 0;
  let length = 0;
  let nuls = 0;
  const { ops } = plan;
  const entries = entriesOf(ops);
  const makers = makersOf(ops);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as OpEntry;
    let text = '';
    let many = 1;
    if (makers && typeof entry === 'number') {
      while (many < RUN && entries[i + many] === entry + many) many++;
      text = makers.encode(entry, many, i, found);
      i += many - 1;
    } else {
      const op = entry as Op;
      const encoder = encoders[op.op];
      if (encoder) text = encoder(op, i, found);
    }
    if (text === '') continue;
    encoded[encoded.length] = text;
    count += many;
    length += text.length;
    if (length < PART) continue;
    const part = host.encode(encoded.join(''));
    nuls += countOfNuls(part);
    parts.push(part);
    encoded = [];
    length = 0;
  }
  // The slots that the runtime does not fill are empty.
  const slots = options.slots.map(descriptor);
  while (slots.length < found.slots) slots.push('');
  const head: (string | number)[] = [
    Protocol.PLAN_MAGIC,
    count,
    options.trace ? 1 : 0,
    descriptor(options.startSocket),
    slots.length,
    ...slots,
  ];
  const headText = `${head.join('\0')}\0`;
  if (parts.length === 0) encoded[0] = headText;
  const last = host.encode(encoded.join(''));
  nuls += countOfNuls(last) + (parts.length === 0 ? 0 : head.length);
  if (nuls !== head.length + found.fields) throw nulError(plan);
  return parts.length === 0 ? [last] : [host.encode(headText), ...parts, last];
}

/**
 * Encodes the operations that runt-init performs, without the frame's length.
 * @throws RuntError ERR_SPEC_VALUE for a string with a NUL byte: no system call accepts it as an argument
 */
export function encodePlan(plan: Plan, options: EncodeOptions): Uint8Array {
  const parts = encodeParts(plan, options);
  return parts.length === 1 ? parts[0] : concatenate(parts);
}

/** No descriptor is an empty field. */
const descriptor = (fd: number): number | string => (fd < 0 ? '' : fd);

function nulError(plan: Plan): RuntError {
  const holds = (value: unknown): boolean =>
    typeof value === 'string' ? value.includes('\0') : Array.isArray(value) && value.some(holds);
  const op = [...plan.ops].find((o) => ops[o.op].by === 'init' && Object.values(o).some(holds)) as Op;
  return new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `${op.op}: a string has a NUL byte`,
    op: op.op,
    pointer: op.at,
    value: Object.values(op).find(holds),
  });
}
