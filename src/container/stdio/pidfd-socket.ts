/** `--pidfd-socket`: who gets a pidfd of the process, by which it can be waited for and signalled whatever becomes of its number. */

import type { Op } from '../../plan/plan-ops.js';
import { fdList } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import { checkOp } from '../failure/op-failed.js';

/** Sends the pidfd beside the word by which receivers of runc's know it: `standard`, or of an exec `setns`. @throws OpFailed */
export async function sendPidfd(op: Extract<Op, { op: 'pidfdSocket' }>, pidfd: number, exec: boolean): Promise<void> {
  const socket = checkOp(op, await connectTo(op.path), 'connect');
  const fds = fdList([pidfd]);
  const sent = native.sendFds(socket, fds, host.encode(exec ? 'setns' : 'standard'));
  native.close(socket);
  checkOp(op, sent, 'sendmsg');
}
