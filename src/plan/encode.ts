/** Plan → the bytes that runt-init reads (docs/architecture.md, "The plan on the wire"). */
import { RuntError } from '../sys/error.js';
import { host } from '../sys/host.js';
import { type FieldType, type Op, ops, type Plan } from './ops.js';

export interface EncodeOptions {
  readonly trace: boolean;
  /** Descriptor of the listening start socket, or -1 when the sync socket says start. */
  readonly startSocket: number;
  /** Descriptors that fill the plan's slots, by slot number. */
  readonly slots: readonly number[];
}

/**
 * Encodes the operations that runt-init does, without the frame's length.
 * @throws RuntError ERR_SPEC_VALUE when a string holds NUL: it can be no argument of a system call.
 */
export function encodePlan(plan: Plan, options: EncodeOptions): Uint8Array {
  const fields: (string | number | bigint)[] = [];
  let count = 0;
  for (let i = 0; i < plan.ops.length; i++) {
    const op = plan.ops[i] as Op;
    const shape = ops[op.op];
    if (shape.by !== 'init') continue;
    count++;
    fields.push(shape.code, i);
    const kinds: Readonly<Record<string, FieldType>> = shape.fields;
    for (const name in kinds) {
      const value = (op as unknown as Record<string, string | number | bigint | readonly string[]>)[name];
      if (typeof value === 'object') {
        fields.push(value.length);
        for (const item of value) fields.push(noNul(item, op));
      } else if (typeof value === 'string') fields.push(noNul(value, op));
      else fields.push(value as number | bigint);
    }
  }
  const { slots } = options;
  const head = ['runt-plan-1', count, options.trace ? 1 : 0, options.startSocket, slots.length, ...slots];
  return host.encode(`${head.join('\0')}\0${fields.length ? `${fields.join('\0')}\0` : ''}`);
}

function noNul(text: string, op: Op): string {
  if (text.includes('\0')) {
    throw new RuntError({
      code: 'ERR_SPEC_VALUE',
      message: `${op.op}: a string with a NUL byte`,
      op: op.op,
      pointer: op.at,
      value: text,
    });
  }
  return text;
}
