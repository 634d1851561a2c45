/** Shape of a plan operation: each room has a table (`mounts/mount-ops.ts`), and `plan-ops.ts` merges them. */

type Optional<T extends string> = `${T}?`;

/**
 * Field types on the wire: `str` (no NUL), `int` (64-bit, signed or unsigned, exact), `bool`, `flags` (a set of 64
 * kernel flags), `fd` (a slot: a number in the plan's table of descriptors), and lists: `list` (of str), `int[]`,
 * `flags[]`, `range[]` (of pairs of integers, first and last).
 * With `?` the field may be absent; an optional `str` is not empty.
 */
export type WireType =
  | 'str'
  | 'int'
  | 'bool'
  | 'flags'
  | 'fd'
  | 'list'
  | 'int[]'
  | 'flags[]'
  | 'range[]'
  | Optional<'str' | 'int' | 'fd'>;

/** A `str` with a fixed set of values: `'str' as Word<'uid' | 'gid'>`. */
export type Word<T extends string> = 'str' & { readonly of?: T };

/** A text for readers of the plan (`explain`), without effect: it does not cross the wire. */
export type Note = 'note';

/** A structured value: `'data' as Data<…>`. Only operations of the runtime have such fields. */
export type Data<T> = 'data' & { readonly of?: T };

export type FieldType = WireType | Note | Data<unknown>;

export type Phase =
  | 'prepare'
  | 'namespaces'
  | 'root and mounts'
  | 'devices'
  | 'hide and protect'
  | 'identity'
  | 'limits'
  | 'start';

interface OpDescription {
  /** `explain` prints the operation under this phase. */
  readonly phase: Phase;
  /** What it does, for maintainers of `explain` and readers of the C. */
  readonly doc: string;
}

/** Only operations of runt-init cross the wire, and so have a code. */
type OpShape = OpDescription &
  (
    | { readonly by: 'runtime'; readonly code?: never; readonly fields: Readonly<Record<string, FieldType>> }
    | { readonly by: 'init'; readonly code: number; readonly fields: Readonly<Record<string, WireType | Note>> }
  );

export const table = <const T extends Record<string, OpShape>>(t: T): T => t;
