/**
 * The owner of stdio: the process's user (op `stdioOwner`); in the foreground while the process runs, as with login(1).
 */
import type { Op } from '../../plan/plan-ops.js';
import { E } from '../../sys/errno.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_EMPTY_PATH } from '../../sys/linux.js';
import { OpFailed } from '../failure/op-failed.js';
import type { Stdio } from '../launch/spawn-init.js';
import { signalProcess } from '../state/recorded-process.js';

/** What says that a file may not be given away, or has no owners: it stays as it is. */
const kept: readonly number[] = [E.EPERM, E.EINVAL, E.EACCES, E.EROFS, E.EOPNOTSUPP, E.ENOSYS];

/**
 * Gives descriptors of stdio to a uid of the process's user namespace, in which their owner is not mapped: the process
 * itself cannot. It has chosen them by their kind.
 * @param op that gives them
 * @param fds bits of 0, 1 and 2
 * @throws OpFailed
 */
export function giveStdio(op: Op, given: { uid: number; fds: number }, pid: number, pidfd: number, stdio: Stdio): void {
  const uid = idOutside(tryReadText(`/proc/${pid}/uid_map`) ?? '', given.uid);
  // The map was that of the process when it still runs.
  if (uid === undefined || signalProcess(pidfd, pid, 0) < 0) return;
  stdio.forEach((fd, i) => {
    const r = (given.fds >> i) & 1 ? native.chownAt(fd, '', BigInt(uid), -1n) : 0;
    if (r >= 0 || kept.includes(-r)) return;
    throw new OpFailed({ op, errno: -r, syscall: 'fchown', detail: ['stdin', 'stdout', 'stderr'][i]! });
  });
}

/**
 * An id of a user namespace as the reader of its map sees it (user_namespaces(7)); undefined for one that is not
 * mapped.
 */
function idOutside(map: string, id: number): number | undefined {
  for (const line of map.split('\n')) {
    const [inside = 0, outside = 0, size = 0] = line.trim().split(/ +/).map(Number);
    if (id >= inside && id < inside + size) return outside + id - inside;
  }
  return undefined;
}

/** The uid of what is at fd; undefined where nothing is. */
function owner(fd: number): bigint | undefined {
  const stat = new BigInt64Array(8);
  return native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0 ? undefined : stat[1];
}

/** Who owned 0, 1 and 2 before the launch. A detached process keeps them, as with runc: nobody waits for its end. */
export class LentStdio {
  private readonly before = [0, 1, 2].map(owner);

  /** Owners are again who they were; best effort, what it was lent for is over. */
  giveBack(): void {
    for (const [fd, uid] of this.before.entries()) {
      if (uid !== undefined && owner(fd) !== uid) native.chownAt(fd, '', uid, -1n);
    }
  }
}
