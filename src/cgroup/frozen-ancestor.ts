/** The frozen ancestor of a cgroup, and the error that names it. Loaded by need. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { hierarchyVersion, isCgroup } from './cgroup-facts.js';

/**
 * The cgroup at or above `directory`, on v1 or v2, that is frozen by itself: all below it stays frozen, whatever its
 * own files request. undefined if there is none. Skips directories that do not exist: systemd makes slices on demand.
 * @throws RuntError ERR_CGROUP when one cannot be read
 */
export function frozenAncestor(directory: string): string | undefined {
  for (let at = directory; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if ((isFrozenCgroup(`${at}/cgroup.freeze`) || isFrozenCgroup(`${at}/freezer.self_freezing`)) && isCgroup(at))
      return at;
  }
  return undefined;
}

function isFrozenCgroup(path: string): boolean {
  const buffer = new Uint8Array(16);
  const n = native.readFile(AT_FDCWD, path, buffer);
  if (n >= 0) return host.decode(buffer, n).trim() === '1';
  // ENODEV: the cgroup was removed after the open.
  if (n === -E.ENOENT || n === -E.ENOTDIR || n === -E.ENODEV) return false;
  throw new RuntError({ code: 'ERR_CGROUP', message: `read ${path}`, path, errno: -n, syscall: 'read' });
}

/**
 * The error for a command that would otherwise wait in the frozen cgroup `directory`.
 * @param what the frozen thing, with its verb: "exec web: the cgroup is frozen"
 * @param alternative another way out than to thaw the cgroup, after ", or "
 */
export function frozenError(what: string, directory: string, alternative?: string, pointer?: string): RuntError {
  // Another process may have thawed it since the command checked.
  const by = frozenAncestor(directory) ?? directory;
  const thaw = hierarchyVersion(by) === 1 ? `echo THAWED > ${by}/freezer.state` : `echo 0 > ${by}/cgroup.freeze`;
  return new RuntError({
    code: 'ERR_CGROUP',
    message: by === directory ? `${what}: ${directory}` : `${what} by the cgroup ${by}: ${directory}`,
    path: by,
    ...(pointer !== undefined && { pointer }),
    hint: `thaw it: ${thaw}${alternative === undefined ? '' : `, or ${alternative}`}`,
    see: 'cgroups(7)',
  });
}
