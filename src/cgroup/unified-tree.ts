/** The host's cgroup v2 tree: its mount options, and the default parent of a container's cgroup. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { exists, readText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { visibleCgroupMounts } from './cgroup-mounts.js';

/** Options, such as nsdelegate, of the v2 mount that `readCgroupFacts` finds. @throws RuntError ERR_IO */
export function unifiedOptions(): readonly string[] {
  return visibleCgroupMounts(readText('/proc/self/mountinfo')).find((m) => m.type === 'cgroup2')?.options ?? [];
}

/**
 * On v2, the parent of the cgroup of a container without a path; `own` is the runtime's, below the mount point. It is
 * the parent of `own`: a sibling can have controllers while `own` holds processes. But systemd rewrites the cgroups
 * that it manages at any time. On its hosts it is the hierarchy's root, unless systemd has delegated `own` or an
 * ancestor (systemd.resource-control(5), "Delegate=": the attributes trusted.delegate and, for a user's units,
 * user.delegate).
 * @throws RuntError ERR_CGROUP when the attributes cannot be read
 */
export function defaultParent(mountPoint: string, own: string): string {
  const parent = own.slice(0, own.lastIndexOf('/')) || '/';
  // sd_booted(3).
  if (!exists('/run/systemd/system')) return parent;
  for (let at = own; at !== '' && at !== '/'; at = at.slice(0, at.lastIndexOf('/')))
    if (isDelegated(`${mountPoint}${at}`)) return parent;
  return '/';
}

function isDelegated(path: string): boolean {
  const value = new Uint8Array(8);
  for (const name of ['trusted.delegate', 'user.delegate']) {
    const n = native.getXattr(path, name, value);
    if (n > 0 && host.decode(value, n) === '1') return true;
    // EOPNOTSUPP: this kernel has no user attributes there. ENOENT: the mount does not show the own cgroup.
    if (n >= 0 || n === -E.ENODATA || n === -E.EOPNOTSUPP || n === -E.ENOENT) continue;
    throw new RuntError({
      code: 'ERR_CGROUP',
      message: `read ${name} of ${path}`,
      path,
      errno: -n,
      syscall: 'getxattr',
    });
  }
  return false;
}
