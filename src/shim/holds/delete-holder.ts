/** `delete` of a container that a running gRPC server has: its answer is held until that server is done with it. */

import { environment } from '../../container/environment.js';
import { startFailure, startMode } from '../../container/launch/start-mode.js';
import { check } from '../../sys/error.js';
import { exists, tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_RDONLY } from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import { holdAnswerTime } from '../../sys/waiting/time-limits.js';
import type { ShimArguments } from '../containerd/shim-arguments.js';
import { isBusy } from './busy-server.js';
import { requestHold } from './hold-socket.js';
import { recordedSocket } from './recorded-address.js';

/**
 * Leaves stdout open with a process that lives as long as the server has the container (native/init/holder.c).
 * @returns false if no server has the container: delete it at once
 */
export async function holdDelete(a: ShimArguments): Promise<boolean> {
  const bundle = a.bundle || '.';
  const socket = serverSocket(bundle);
  // containerd 2.x writes this file for a container without a `start` of its own.
  const request = exists(`${bundle}/sandbox`) ? 'await' : 'hold';
  const sent = socket ? await requestHold(socket, request, a.id, holdAnswerTime) : undefined;
  if (!socket || !sent) return false;
  const { connection, answer } = sent;
  // The holder waits for the answer of a busy server.
  if (!(answer ?? (await isBusy(socket)))) {
    native.close(connection);
    return false;
  }
  const facts = { code: 'ERR_SHIM', message: `hold the delete of ${a.id}` };
  const program = native.openAt(AT_FDCWD, '/proc/self/exe', O_RDONLY, 0);
  const stdout = native.duplicate(1);
  const fds = [connection, stdout, program];
  const failed = fds.find((fd) => fd < 0);
  if (failed !== undefined) {
    for (const fd of fds) if (fd >= 0) native.close(fd);
    check(failed, facts);
  }
  const words = ownWords().map((word, i, all) => (i === all.length - 1 ? 'delete-held' : word));
  const frame = [Protocol.HOLD_MAGIC, ...fds, words.length, ...words, ...environment()];
  const holder = await startMode(frame, fds, startFailure(facts.code, facts.message));
  holder.channel.close();
  native.close(holder.pidfd);
  return true;
}

/** Path of the server's socket, from the answer of `start`, or from what containerd passed to a pod's container. */
export const serverSocket = (bundle: string): string | undefined =>
  recordedSocket(`${bundle}/address`) ?? recordedSocket(`${bundle}/bootstrap.json`);

/** The command line of this process. The last word is the action. */
const ownWords = (): string[] => (tryReadText('/proc/self/cmdline') ?? '').split('\0').slice(0, -1);
