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

/** Wire format of an operation: its code and the types of its fields; undefined for one of the runtime's. */
function shapeOf({
  op,
}: Op): { readonly code: number; readonly fields: Readonly<Record<string, FieldType>> } | undefined {
  const shape = ops[op];
  return shape.by === 'init' ? shape : undefined;
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
  const lists = new Map<object, [string, FieldType][]>();
  let count = 0;
  for (let i = 0; i < plan.ops.length; i++) {
    const op = plan.ops[i] as Op;
    const shape = shapeOf(op);
    if (!shape) continue;
    count++;
    fields.push(shape.code, i);
    let names = lists.get(shape.fields);
    if (!names) {
      names = Object.entries(shape.fields).filter(([, type]) => type !== 'note');
      lists.set(shape.fields, names);
    }
    for (const [name, type] of names) {
      const value = (op as unknown as Record<string, WireValue>)[name];
      if (value === undefined) {
        fields.push('');
      } else if (typeof value === 'object') {
        fields.push(value.length);
        const items = type === 'range[]' ? value.flat() : (value as readonly Item[]);
        append(fields, items);
        if (type === 'list') append(texts, items);
      } else if (typeof value === 'boolean') {
        fields.push(value ? 1 : 0);
      } else {
        fields.push(value);
        if (typeof value === 'string') texts.push(value);
        // The slots that the runtime does not fill are empty.
        if (type.startsWith('fd')) while (slots.length <= (value as number)) slots.push(-1);
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
  append(head, fields);
  return nulList(head);
}

/** No descriptor is an empty field. */
const descriptor = (fd: number): number | string => (fd < 0 ? '' : fd);

function nulError(plan: Plan): RuntError {
  const holds = (value: unknown): boolean =>
    typeof value === 'string' ? value.includes('\0') : Array.isArray(value) && value.some(holds);
  const op = plan.ops.find((o) => shapeOf(o) && Object.values(o).some(holds)) as Op;
  return new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `${op.op}: a string has a NUL byte`,
    op: op.op,
    pointer: op.at,
    value: Object.values(op).find(holds),
  });
}
