/** Mounts with the option `ro` into which something is put: read-only once all is there. */
import { MOUNT_ATTR_RDONLY } from '../../sys/linux.js';
import type { Op } from '../plan-ops.js';

/**
 * Takes the read-only from each tmpfs of `ops` in which a later operation makes something (a mount point, a device, the working directory),
 * and from one on /dev, where a terminal comes too. Returns the operations that give it back to the mounts; runc does so for every tmpfs.
 */
export function deferReadOnly(ops: Op[]): Op[] {
  const last: Op[] = [];
  ops.forEach((op, i) => {
    if (op.op !== 'mountFs' || op.fstype !== 'tmpfs' || !(Number(op.attrs) & MOUNT_ATTR_RDONLY)) return;
    const { at, target } = op;
    const places = ops.slice(i + 1).map(placeOf);
    // What is mounted over it, or remounts it, is as that one says.
    if (places.includes(target) || (target !== '/dev' && !places.some((p) => p.startsWith(`${target}/`)))) return;
    ops[i] = {
      ...op,
      attrs: (Number(op.attrs) & ~MOUNT_ATTR_RDONLY) >>> 0,
      options: op.options.filter((o) => o !== 'ro'),
    };
    last.push({ op: 'mountAttrs', at, target, setAttrs: MOUNT_ATTR_RDONLY, clearAttrs: 0, recursive: 0 });
  });
  return last;
}

const placeOf = (op: Op): string => ('target' in op ? op.target : 'path' in op ? op.path : '');
