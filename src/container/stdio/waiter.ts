/**
 * The waiter: what the static binary becomes while the process of `run` or `exec` runs, to need less memory
 * (native/init/waiter.c).
 */

import { E } from '../../sys/errno.js';
import { fdList } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_RDONLY } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { Protocol } from '../../sys/protocol.js';
import { environment } from '../environment.js';
import { frameOf } from '../launch/init-channel.js';
import type { EndLimit } from './end-limit.js';

interface AwaitedChild {
  readonly pid: number;
  readonly pidfd: number;
}

/**
 * Executes runt-init in the waiter mode: the same process, which keeps the child and the signals that are blocked. It
 * ends with the child's exit status, or executes this command line again (run-end.ts). Returns if that is not possible
 * here: the caller then waits itself.
 * @param signals signalfd of the signals to forward @param again whether there is something to do after the end
 * @param limit after which it executes this command line again too
 */
export function becomeWaiter({ pid, pidfd }: AwaitedChild, signals: number, again: boolean, limit?: EndLimit): void {
  // It has no other way to signal the child.
  if (host.name !== 'quickjs' || native.pidfdSignal(pidfd, 0) === -E.ENOSYS || limit?.passed) return;
  const returns = again || limit !== undefined;
  const program = returns ? native.openAt(AT_FDCWD, '/proc/self/exe', O_RDONLY, 0) : -1;
  if (returns && program < 0) return;
  const words = [[Protocol.RUN_END_PROGRAM, pid, pidfd].join(':'), ...host.args];
  const deadline = Number.isFinite(limit?.deadline) ? Math.ceil((limit?.deadline ?? 0) * 1e6) : 0;
  const command = returns ? [program, words.length, ...words, ...environment()] : [''];
  const data = nulList([Protocol.WAIT_MAGIC, pid, pidfd, signals, deadline, again ? 1 : 0, ...command]);
  const file = data.length <= Protocol.PLAN_MAX ? native.sealedFile(frameOf(data)) : -E.E2BIG;
  const kept = returns ? [pidfd, signals, program] : [pidfd, signals];
  // As native/quickjs/main.c does: an id may be "exec" too; for other commands any status but 0 is a failure.
  const failed = host.args.includes('exec') ? 255 : 1;
  if (file >= 0) native.becomeInit(['runt', ...host.args].join(' '), file, pidfd, failed, fdList(kept));
  for (const fd of [file, program]) if (fd >= 0) native.close(fd);
}
