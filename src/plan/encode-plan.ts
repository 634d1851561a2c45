/** Plan → the bytes that runt-init reads (docs/internals.md, "The plan on the wire"). */
import { append } from '../sys/append.js';
import { RuntError } from '../sys/error.js';
import { nulList } from '../sys/nul-list.js';
import { Protocol } from '../sys/protocol.js';
import type { FieldType } from './op-shape.js';
import { type Op, ops, type Plan } from './plan-ops.js';

interface EncodeOptions {
  readonly trace: boolean;
  /** Descriptor of the listening start socket, or -1 if the start arrives on the sync socket. */
  readonly startSocket: number;
  /** Descriptors that the runtime puts into slots, by slot number. runt-init fills the slots after them. */
  readonly slots: readonly number[];
}

type Item = string | number | bigint;
type WireValue = Item | boolean | readonly (Item | readonly Item[])[] | undefined;

/** The wire format of an operation of runt-init: its code, and the names and types of its fields, notes left out. */
interface Layout {
  /** -1 for an operation of the runtime. */
  readonly code: number;
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
  /** Which fields are slots. */
  readonly slots: readonly boolean[];
}

/** Makes the layout of an operation, and adds it to `layouts`. */
function layoutOf({ op }: Op, layouts: Map<string, Layout>): Layout {
  const shape: { by: string; code?: number; fields: Readonly<Record<string, FieldType>> } = ops[op];
  const fields = Object.entries(shape.fields).filter(([, type]) => type !== 'note');
  const layout = {
    code: shape.code ?? -1,
    names: fields.map(([name]) => name),
    types: fields.map(([, type]) => type),
    slots: fields.map(([, type]) => type.startsWith('fd')),
  };
  layouts.set(op, layout);
  return layout;
}

/**
 * Encodes the operations that runt-init performs, without the frame's length.
 * @throws RuntError ERR_SPEC_VALUE for a string with a NUL byte: no system call accepts it as an argument
 */
export function encodePlan(plan: Plan, options: EncodeOptions): Uint8Array {
  const fields: Item[] = [];
  const texts: Item[] = [];
  const slots = [...options.slots];
  // Made for the operations that a plan has: a table of all takes 30 KB of every process.
  const layouts = new Map<string, Layout>();
  let count = 0;
  // Stores behind the end: with `push`, QuickJS needs 14,000 instructions more for each mount.
  let n = 0;
  let t = 0;
  const { ops } = plan;
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as Op;
    const layout = layouts.get(op.op) ?? layoutOf(op, layouts);
    if (layout.code < 0) continue;
    const { names } = layout;
    count++;
    fields[n++] = layout.code;
    fields[n++] = i;
    for (let k = 0; k < names.length; k++) {
      const value = (op as unknown as Record<string, WireValue>)[names[k] as string];
      if (value === undefined) fields[n++] = '';
      else if (value === false) fields[n++] = 0;
      else if (value === true) fields[n++] = 1;
      else if (typeof value === 'string') {
        fields[n++] = value;
        texts[t++] = value;
      } else if (typeof value === 'object') {
        fields[n++] = value.length;
        if (value.length === 0) continue;
        const type = layout.types[k];
        const items = type === 'range[]' ? value.flat() : (value as readonly Item[]);
        append(fields, items);
        if (type === 'list') append(texts, items);
        n = fields.length;
        t = texts.length;
      } else {
        fields[n++] = value;
        // The slots that the runtime does not fill are empty.
        if (layout.slots[k]) while (slots.length <= (value as number)) slots.push(-1);
      }
    }
  }
  if (texts.join('').includes('\0')) throw nulError(plan);
  const head: Item[] = [
    Protocol.PLAN_MAGIC,
    count,
    options.trace ? 1 : 0,
    descriptor(options.startSocket),
    slots.length,
    ...slots.map(descriptor),
  ];
  // Joined one by one: to copy the fields behind the head costs as much as to join them.
  return nulList(fields.length > 0 ? [head.join('\0'), fields.join('\0')] : head);
}

/** No descriptor is an empty field. */
const descriptor = (fd: number): number | string => (fd < 0 ? '' : fd);

function nulError(plan: Plan): RuntError {
  const holds = (value: unknown): boolean =>
    typeof value === 'string' ? value.includes('\0') : Array.isArray(value) && value.some(holds);
  const op = plan.ops.find((o) => ops[o.op].by === 'init' && Object.values(o).some(holds)) as Op;
  return new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `${op.op}: a string has a NUL byte`,
    op: op.op,
    pointer: op.at,
    value: Object.values(op).find(holds),
  });
}
