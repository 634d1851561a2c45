/** Mount points that are missing in a restored root file system, and that criu does not make. */

import { cleanPath } from '../../plan/container-path.js';
import { mountSettings } from '../../plan/mounts/mount-settings.js';
import { sourcePath } from '../../plan/mounts/mount-sources.js';
import type { Spec } from '../../spec/config-types.js';
import { isRoot } from '../../spec/mount-options.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_CREAT, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, S_IFDIR, S_IFMT } from '../../sys/linux.js';

const resolveFlags = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/** Whether a path is below one of a set. */
function isBelow(path: string, set: ReadonlySet<string>): boolean {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (set.has(path.slice(0, end))) return true;
  }
  return false;
}

/**
 * Makes missing mount points, resolving each step within the root. Skips those below another mount, which are in that
 * one.
 * @throws RuntError ERR_MOUNT
 */
export function makeMountPoints(what: string, root: string, spec: Spec, bundle: string): void {
  const mounts = (spec.mounts ?? []).filter((m) => !isRoot(m.destination));
  const all = mounts.map((m) => cleanPath(m.destination));
  const destinations = new Set(all);
  const fd = native.openAt(AT_FDCWD, root, O_PATH, 0);
  try {
    mounts.forEach((mount, i) => {
      const destination = all[i] as string;
      if (destination.split('/').includes('..') || isBelow(destination, destinations)) return;
      const source = mountSettings(mount).bind ? tryStat(sourcePath(mount, bundle)) : undefined;
      const isFile = source !== undefined && (source.mode & S_IFMT) !== S_IFDIR;
      const r = fd < 0 ? fd : makePath(fd, destination, isFile);
      if (r >= 0) return;
      throw new RuntError({
        code: 'ERR_MOUNT',
        message: `${what}: make the mount point ${destination} in the root`,
        path: destination,
        pointer: `/mounts/${i}/destination`,
        errno: -r,
      });
    });
  } finally {
    if (fd >= 0) native.close(fd);
  }
}

/** Makes the missing components of a path. */
function makePath(root: number, path: string, isFile: boolean): number {
  const parts = path.split('/').filter((p) => p !== '');
  for (let n = 1; n <= parts.length; n++) {
    const there = native.openAt2(root, parts.slice(0, n).join('/'), O_PATH, 0, resolveFlags);
    if (there >= 0) native.close(there);
    if (there !== -E.ENOENT) {
      if (there < 0) return there;
      continue;
    }
    const parent = native.openAt2(root, parts.slice(0, n - 1).join('/') || '.', O_PATH, 0, resolveFlags);
    if (parent < 0) return parent;
    const name = parts[n - 1] as string;
    const r =
      isFile && n === parts.length
        ? native.openAt2(parent, name, O_CREAT, 0o644, resolveFlags)
        : native.mkdirAt(parent, name, 0o755);
    if (isFile && n === parts.length && r >= 0) native.close(r);
    native.close(parent);
    if (r < 0 && r !== -E.EEXIST) return r;
  }
  return 0;
}
