/** Mounts on the wire. A config may have thousands, and those of a kind differ in few of their first fields. */
import { encoders } from '../../../build/gen/op-encoders.js';
import { ops } from '../plan-ops.js';
import type { BindMount, FsMount } from './mount-op.js';

/** The slot of a bind source that has none, in a list of numbers. */
export const NO_SLOT = -1;

/** The fields that mounts of a kind share, as text, and the number of all fields. */
export interface SharedFields {
  readonly text: string;
  readonly fields: number;
}

export const BIND = `${ops.mountBind.code}\0`;
export const FS = `${ops.mountFs.code}\0`;
export const SOURCE = `${ops.cloneSource.code}\0`;

/** Those after the slot of a bind, or after the source of a file system, with the NUL before them. */
export function sharedFields(op: BindMount | FsMount): SharedFields {
  const own =
    op.op === 'mountBind' ? { ...op, target: '', source: '', slot: undefined } : { ...op, target: '', source: '' };
  const w = { slots: 0, fields: 0, lists: new Map() };
  const text = encoders[op.op]?.(own, 0, w) ?? '';
  let start = 0;
  for (let before = 0; before < 5; before++) start = text.indexOf('\0', start) + 1;
  return { text: text.slice(start - 1), fields: w.fields };
}
