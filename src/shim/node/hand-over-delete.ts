/** `delete` of a container that a node's server has: its keeper answers when containerd deletes the container. */
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { exists } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { readable } from '../../sys/waiting/loop.js';
import { handOverTime } from '../../sys/waiting/time-limits.js';
import type { ShimArguments } from '../containerd/shim-arguments.js';
import { recordedSocket } from '../holds/recorded-address.js';
import { bootstrapRecord, bundleIdentity } from './bundle-identity.js';
import { keeperSocket, keeperYes, ttrpcSocket } from './keeper-protocol.js';

/**
 * Hands our standard output to the keeper, which closes it: containerd waits for that. It asks the
 * server whether it has the container, and waits for that one's restart.
 * @returns false if no server of a node has the container: delete it
 * @throws RuntError ERR_SHIM if the keeper does not answer
 */
export async function handOverDelete(a: ShimArguments): Promise<boolean> {
  const bundle = a.bundle || '.';
  const socket = nodeSocket(bundle);
  const identity = bundleIdentity(bundle);
  if (socket === undefined || identity === undefined) return false;
  const path = keeperSocket(socket);
  const facts = { code: 'ERR_SHIM', message: `hand the delete of ${a.id} to the keeper at ${path}`, path };
  const connection = check(await connectAt(AT_FDCWD, path, handOverTime), { ...facts, syscall: 'connect' });
  try {
    const answer = new Uint8Array(1);
    if (native.trustedPeer(connection) !== 1)
      throw new RuntError({ ...facts, message: `${facts.message}: it belongs to another user` });
    check(native.sendFds(connection, fdList([1]), nulList(['delete', `${a.namespace}/${a.id}`, identity])), facts);
    if ((await readable(connection, handOverTime)) && native.read(connection, answer) === 1)
      return answer[0] === keeperYes;
    throw new RuntError({ ...facts, message: `${facts.message}: it does not answer` });
  } finally {
    native.close(connection);
  }
}

const suffix = ttrpcSocket('');
const withoutTtrpc = (socket: string | undefined): string | undefined =>
  socket?.endsWith(suffix) ? socket.slice(0, -suffix.length) : undefined;

/** The socket in the record that containerd writes for a container of a sandbox; undefined if no keeper serves it. */
function nodeSocket(bundle: string): string | undefined {
  const record = `${bundle}/${bootstrapRecord}`;
  const address = recordedSocket(record) ?? withoutTtrpc(recordedSocket(record, 'ttrpc'));
  return address !== undefined && exists(keeperSocket(address)) ? address : undefined;
}
