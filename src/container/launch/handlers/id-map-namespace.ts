/** User namespaces that only hold the id maps of id-mapped mounts (mount_setattr(2)). */

import type { Op } from '../../../plan/plan-ops.js';
import { fdPair } from '../../../sys/fds.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, CLONE_NEWUSER, O_RDONLY } from '../../../sys/linux.js';
import { readableOrPolled } from '../../../sys/waiting/loop.js';
import { killedProcessTime } from '../../../sys/waiting/time-limits.js';
import { checkOp } from '../../failure/op-failed.js';
import { endOf } from '../child-end.js';
import { type StartResult, startInit } from '../start-init.js';

/**
 * Calls f while a runt-init without a plan is in a new user namespace; it ends when its socket closes. A descriptor of
 * the namespace keeps that.
 * @param sockets a pair, which is closed
 * @param f gets the result of the start, which may have failed
 */
export async function withUserNamespace<T>(
  [ours, theirs]: readonly [number, number],
  f: (started: StartResult) => T | Promise<T>,
): Promise<T> {
  const started = await startInit(BigInt(CLONE_NEWUSER), theirs);
  native.close(theirs);
  try {
    return await f(started);
  } finally {
    native.close(ours);
    const { pid, pidfd } = started;
    if (pid >= 0) {
      await readableOrPolled(pidfd, killedProcessTime);
      endOf(pidfd);
      native.close(pidfd);
    }
  }
}

/** Opens the operation's user namespace, or a new one with its id maps. @throws OpFailed */
export async function openIdMaps(op: Extract<Op, { op: 'idMapNamespace' }>): Promise<number> {
  if (op.path) return checkOp(op, native.openAt(AT_FDCWD, op.path, O_RDONLY, 0), 'open', op.path);
  const pair = new Uint8Array(16);
  checkOp(op, native.socketPair(pair), 'socketpair');
  return withUserNamespace(fdPair(pair), ({ pid, syscall }) => {
    checkOp(op, pid, syscall);
    for (const [file, lines] of [
      ['uid_map', op.uids],
      ['gid_map', op.gids],
    ] as const) {
      const text = host.encode(`${lines.join('\n')}\n`);
      checkOp(op, native.writeFile(AT_FDCWD, `/proc/${pid}/${file}`, 0, 0, text), 'write', file);
    }
    return checkOp(op, native.openAt(AT_FDCWD, `/proc/${pid}/ns/user`, O_RDONLY, 0), 'open');
  });
}
