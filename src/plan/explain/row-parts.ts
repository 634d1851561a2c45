/** Parts of operation messages, and of the lines of `explain`. */
import { RLIM_INFINITY } from '../../sys/linux.js';
import type { OpName, OpOf } from '../plan-ops.js';
import { word } from '../printable-text.js';

/** One line of explain: the verb, its object, the details, and the config pointer. */
export type Row = readonly [verb: string, object: string, detail: string, at: string];

/** Messages and rows for each operation of a room. */
export type Messages<N extends OpName> = {
  readonly [K in N]: {
    /** The operation as the start of an error message: "mount tmpfs on /dev/shm". */
    readonly sentence: (op: OpOf<K>) => string;
    /** Verb, object and details, with the name of every flag. Long lists take several lines, each with its pointer. */
    readonly rows: (op: OpOf<K>) => Row[];
  };
};

/** One line. */
export function row(op: { readonly at: string }, verb: string, object = '', detail = ''): Row[] {
  return [[verb, object, detail, op.at]];
}

export const option = (names: readonly string[]): string =>
  names.length > 0 ? `if possible ${names.map(word).join(' ')}` : '';
export const list = (parts: readonly string[]): string => parts.filter((p) => p !== '').join(', ');
export const octal = (mode: number | bigint): string => `0${mode.toString(8).padStart(3, '0')}`;
export const slot = (n: number | bigint | undefined): string => (n === undefined ? '' : `slot ${n}`);
export const limit = (n: number | bigint): string => (BigInt(n) === RLIM_INFINITY ? 'unlimited' : String(n));

/** Breaks a list of words into lines of about 60 characters. */
export function wrap(
  verb: string,
  object: string,
  items: readonly string[],
  at: string,
  note = '',
  separator = ', ',
): Row[] {
  const all = note === '' ? items : [...items, note];
  const result: Row[] = [];
  let line = '';
  for (const [i, item] of all.entries()) {
    const next = line === '' ? item : line + separator + item;
    if (next.length > 60 && line !== '') {
      result.push([result.length === 0 ? verb : '', result.length === 0 ? object : '', line + separator.trimEnd(), at]);
      line = item;
    } else line = next;
    if (i === all.length - 1)
      result.push([result.length === 0 ? verb : '', result.length === 0 ? object : '', line, at]);
  }
  return result.length > 0 ? result : [[verb, object, 'none', at]];
}
