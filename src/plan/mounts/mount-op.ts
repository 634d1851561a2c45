/** Constructors of the two mount operations, with defaults for rare fields. */
import type { Op } from '../plan-ops.js';

type FsMount = Extract<Op, { op: 'mountFs' }>;
type BindMount = Extract<Op, { op: 'mountBind' }>;

/** A mountFs with defaults for the absent fields. */
export function mountFs(
  fields: Pick<FsMount, 'at' | 'target' | 'fstype' | 'source' | 'options' | 'attrs'> & Partial<FsMount>,
): FsMount {
  const { at, target, fstype, source, options, attrs } = fields;
  const { propagation = [], inheritMode = false, flags = 0, copyUp = false, idmap, instead } = fields;
  const base = { op: 'mountFs', at, target, fstype, source, options, attrs } as const;
  return { ...base, propagation, inheritMode, flags, copyUp, idmap, instead };
}

/** A mountBind with defaults for the absent fields. */
export function mountBind(fields: Pick<BindMount, 'at' | 'target' | 'source'> & Partial<BindMount>): BindMount {
  const { at, target, source, slot, recursive = true, setAttrs = 0, clearAttrs = 0 } = fields;
  const { setAttrsRec = 0, clearAttrsRec = 0, propagation = [] } = fields;
  const { sourceNofollow = false, targetNofollow = false, copySymlink = false } = fields;
  const { inside, idmap, recursiveIdmap = false } = fields;
  const attributes = { setAttrs, clearAttrs, setAttrsRec, clearAttrsRec };
  const base = { op: 'mountBind', at, target, source, slot, recursive, ...attributes, propagation } as const;
  return { ...base, sourceNofollow, targetNofollow, copySymlink, inside, idmap, recursiveIdmap };
}
