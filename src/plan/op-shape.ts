/**
 * What an operation of a plan is. Each room has a table of its own (`mounts/mount-ops.ts`); `plan-ops.ts` puts them
 * together.
 */

type Optional<T extends string> = `${T}?`;

/**
 * What goes over the wire: `str` (no NUL), `int` (64-bit, signed or unsigned, exact), `bool`, `flags` (a set of 64
 * kernel flags), `fd` (a slot: a number in the plan's table of descriptors), and lists: `list` (of str),
 * `int[]`, `flags[]`, `range[]` (of pairs of integers, first and last).
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

/** A `str` that is one of a few words: `'str' as Word<'uid' | 'gid'>`. */
export type Word<T extends string> = 'str' & { readonly of?: T };

/** A text for who reads the plan (`explain`), which nobody acts on: it does not cross the wire. */
export type Note = 'note';

/** A value with a structure: `'data' as Data<…>`. Only operations of the runtime have such fields. */
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

interface Described {
  /** Under which `explain` prints it. */
  readonly phase: Phase;
  /** What it does, for `explain` writers and readers of the C. */
  readonly doc: string;
}

/** An operation that runt-init does crosses the wire under its code; one of the runtime's does not. */
type OpShape = Described &
  (
    | { readonly by: 'runtime'; readonly code?: never; readonly fields: Readonly<Record<string, FieldType>> }
    | { readonly by: 'init'; readonly code: number; readonly fields: Readonly<Record<string, WireType | Note>> }
  );

export const table = <const T extends Record<string, OpShape>>(t: T): T => t;
