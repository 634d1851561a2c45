/** Mounts with the option `ro` that become read-only only after runt has filled them. */
import { MOUNT_ATTR_RDONLY } from '../../sys/linux.js';
import type { OpEntry, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';

/**
 * Removes read-only from each tmpfs of `ops` in which a later operation makes a mount point, a device or the working
 * directory. Also from one on /dev, which may get a terminal. Returns the operations that restore it; runc does so for
 * every tmpfs.
 */
export function deferReadOnly(ops: OpEntry[], makers: OpMakers): Op[] {
  const targets = new Set<string>();
  const isPlain = makers.isEmpty;
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as OpEntry;
    if ((isPlain || typeof op !== 'number') && isReadOnly(op as Op)) targets.add(targetOf(op as Op));
  }
  if (targets.size === 0) return [];
  const lengths = new Set([...targets].map(({ length }) => length));
  const last: Op[] = [];
  /**
   * Targets of later operations, and those with a later operation below them: one pass, as a config may have many
   * mounts.
   */
  const laterTargets = new Set<string>();
  const filled = new Set(['/dev']);
  for (let i = ops.length - 1; i >= 0; i--) {
    const op = makers.op(ops[i] as OpEntry);
    const path = targetOf(op);
    // A later mount over it, or a remount of it, decides.
    if (typeof ops[i] !== 'number' && isReadOnly(op) && !laterTargets.has(path) && filled.has(path)) {
      const { at, target } = op;
      ops[i] = {
        ...op,
        attrs: (Number(op.attrs) & ~MOUNT_ATTR_RDONLY) >>> 0,
        options: op.options.filter((o) => o !== 'ro'),
      };
      last.push({ op: 'mountAttrs', at, target, setAttrs: MOUNT_ATTR_RDONLY, clearAttrs: 0, recursive: false });
    }
    laterTargets.add(path);
    for (const length of lengths) if (path[length] === '/') filled.add(path.slice(0, length));
  }
  return last.reverse();
}

/** mount-compile.ts makes such a mount at once. */
const isReadOnly = (op: Op): op is Extract<Op, { op: 'mountFs' }> =>
  op.op === 'mountFs' && op.fstype === 'tmpfs' && (Number(op.attrs) & MOUNT_ATTR_RDONLY) !== 0;

const targetOf = (op: Op): string => ('target' in op ? op.target : 'path' in op ? (op.path ?? '') : '');
