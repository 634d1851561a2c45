/** Constructors of the two mount operations, with defaults for rare fields. */
import type { OpOf } from '../plan-ops.js';

export type FsMount = OpOf<'mountFs'>;
export type BindMount = OpOf<'mountBind'>;
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A copy of a mount's operation for another mount. A config may have thousands: QuickJS copies an object of the same
 * shape at once (hack/quickjs-fast.mjs), and defines each field of a literal.
 */
export function mountLike<T extends FsMount | BindMount>(op: T, at: string, target: string, source: string) {
  const copy: Writable<T> = { ...op };
  copy.at = at;
  copy.target = target;
  copy.source = source;
  return copy;
}

/** A mountFs with defaults for the absent fields. */
export function mountFs(
  fields: Pick<FsMount, 'at' | 'target' | 'fstype' | 'source' | 'options' | 'attrs'> & Partial<FsMount>,
): FsMount {
  return {
    op: 'mountFs',
    at: fields.at,
    target: fields.target,
    fstype: fields.fstype,
    source: fields.source,
    options: fields.options,
    attrs: fields.attrs,
    propagation: fields.propagation ?? [],
    inheritMode: fields.inheritMode ?? false,
    flags: fields.flags ?? 0,
    copyUp: fields.copyUp ?? false,
    idmap: fields.idmap,
    instead: fields.instead,
  };
}

/** A mountBind with defaults for the absent fields. */
export function mountBind(fields: Pick<BindMount, 'at' | 'target' | 'source'> & Partial<BindMount>): BindMount {
  return {
    op: 'mountBind',
    at: fields.at,
    target: fields.target,
    source: fields.source,
    slot: fields.slot,
    recursive: fields.recursive ?? true,
    setAttrs: fields.setAttrs ?? 0,
    clearAttrs: fields.clearAttrs ?? 0,
    setAttrsRec: fields.setAttrsRec ?? 0,
    clearAttrsRec: fields.clearAttrsRec ?? 0,
    propagation: fields.propagation ?? [],
    sourceNofollow: fields.sourceNofollow ?? false,
    targetNofollow: fields.targetNofollow ?? false,
    copySymlink: fields.copySymlink ?? false,
    inside: fields.inside,
    idmap: fields.idmap,
    recursiveIdmap: fields.recursiveIdmap ?? false,
  };
}
