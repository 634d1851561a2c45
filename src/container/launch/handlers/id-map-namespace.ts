/** User namespaces that only hold the id maps of id-mapped mounts (mount_setattr(2)). */

import type { Op } from '../../../plan/plan-ops.js';
import { fdPair } from '../../../sys/fds.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, CLONE_NEWUSER, O_RDONLY } from '../../../sys/linux.js';
import { readableOrPolled } from '../../../sys/waiting/loop.js';
import { killedProcessTime } from '../../../sys/waiting/time-limits.js';
import { checkOp } from '../../failure/op-failed.js';
import { endOf } from '../child-end.js';
import { startInit } from '../start-init.js';

/**
 * Opens the operation's user namespace. A runt-init without a plan makes a new one and ends when its socket closes; the
 * descriptor keeps the namespace.
 * @throws OpFailed
 */
export async function openIdMaps(op: Extract<Op, { op: 'idMapNamespace' }>): Promise<number> {
  if (op.path) return checkOp(op, native.openAt(AT_FDCWD, op.path, O_RDONLY, 0), 'open', op.path);
  const pair = new Uint8Array(16);
  checkOp(op, native.socketPair(pair), 'socketpair');
  const [ours, theirs] = fdPair(pair);
  const { pid, pidfd, syscall } = startInit(BigInt(CLONE_NEWUSER), theirs);
  native.close(theirs);
  try {
    checkOp(op, pid, syscall);
    for (const [file, lines] of [
      ['uid_map', op.uids],
      ['gid_map', op.gids],
    ] as const) {
      const text = host.encode(`${lines.join('\n')}\n`);
      checkOp(op, native.writeFile(AT_FDCWD, `/proc/${pid}/${file}`, 0, 0, text), 'write', file);
    }
    return checkOp(op, native.openAt(AT_FDCWD, `/proc/${pid}/ns/user`, O_RDONLY, 0), 'open');
  } finally {
    native.close(ours);
    if (pid >= 0) {
      await readableOrPolled(pidfd, killedProcessTime);
      endOf(pidfd);
      native.close(pidfd);
    }
  }
}
