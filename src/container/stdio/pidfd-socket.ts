/** `--pidfd-socket`: the receiver of a pidfd, by which the process can be signalled even if its pid is reused. */

import type { Op } from '../../plan/plan-ops.js';
import { fdList } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import { checkOp } from '../failure/op-failed.js';

/** Sends the pidfd with the name that runc sends: `standard`, or `setns` for an exec. @throws OpFailed */
export async function sendPidfd(op: Extract<Op, { op: 'pidfdSocket' }>, pidfd: number, exec: boolean): Promise<void> {
  const socket = checkOp(op, await connectTo(op.path), 'connect');
  const fds = fdList([pidfd]);
  const sent = native.sendFds(socket, fds, host.encode(exec ? 'setns' : 'standard'));
  native.close(socket);
  checkOp(op, sent, 'sendmsg');
}
