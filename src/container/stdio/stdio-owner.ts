/** The owner of stdio: the process's user (op `stdioOwner`), in the foreground only while it runs, as with login(1). */
import type { Op } from '../../plan/plan-ops.js';
import { E } from '../../sys/errno.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_EMPTY_PATH } from '../../sys/linux.js';
import { OpFailed } from '../failure/op-failed.js';
import type { Stdio } from '../launch/spawn-init.js';
import { signalProcess } from '../state/recorded-process.js';

/** Errors of a file that cannot be chowned or has no owner: it stays as it is. */
const ignoredErrnos: readonly number[] = [E.EPERM, E.EINVAL, E.EACCES, E.EROFS, E.EOPNOTSUPP, E.ENOSYS];

/**
 * Chowns stdio to a uid of the process's user namespace. The process cannot, because the owner is not mapped there. It
 * has selected the descriptors by their type.
 * @param op the operation, for errors
 * @param request the uid, and bits of the descriptors 0, 1 and 2
 * @throws OpFailed
 */
export function chownStdio(
  op: Op,
  request: { uid: number; fds: number },
  pid: number,
  pidfd: number,
  stdio: Stdio,
): void {
  const uid = idOutside(tryReadText(`/proc/${pid}/uid_map`) ?? '', request.uid);
  // Only if the process still runs was the map its own.
  if (uid === undefined || signalProcess(pidfd, pid, 0) < 0) return;
  stdio.forEach((fd, i) => {
    const r = (request.fds >> i) & 1 ? native.chownAt(fd, '', BigInt(uid), -1n) : 0;
    if (r >= 0 || ignoredErrnos.includes(-r)) return;
    throw new OpFailed({ op, errno: -r, syscall: 'fchown', detail: ['stdin', 'stdout', 'stderr'][i]! });
  });
}

/** Maps an id of a user namespace to one of the map's reader (user_namespaces(7)); undefined if unmapped. */
function idOutside(map: string, id: number): number | undefined {
  for (const line of map.split('\n')) {
    const [inside = 0, outside = 0, size = 0] = line.trim().split(/ +/).map(Number);
    if (id >= inside && id < inside + size) return outside + id - inside;
  }
  return undefined;
}

/** Uid of the file at fd; undefined if fd is closed. */
function ownerOf(fd: number): bigint | undefined {
  const stat = new BigInt64Array(8);
  return native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0 ? undefined : stat[1];
}

/** Owners of 0, 1 and 2 before the launch. A detached process, which runt does not await, keeps them, as with runc. */
export class StdioOwners {
  private readonly owners = [0, 1, 2].map(ownerOf);

  /** Restores the owners; ignores errors, because the process has ended. */
  restore(): void {
    for (const [fd, uid] of this.owners.entries()) {
      if (uid !== undefined && ownerOf(fd) !== uid) native.chownAt(fd, '', uid, -1n);
    }
  }
}
