/** `start` of the gRPC shim: the server is ready, and its address in the version that containerd accepts. */
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { grpcStartTime } from '../../sys/waiting/time-limits.js';
import { requestHold } from '../holds/hold-socket.js';
import { mountExtensions } from './mount-capabilities.js';

export { holdSocket, listenForHolds } from '../holds/hold-socket.js';
export { containerdVersion } from './containerd-version.js';

/** Waits until the server expects the Create of this id. @throws RuntError ERR_SHIM */
export async function awaitServer(socket: string, id: string): Promise<void> {
  const sent = await requestHold(socket, 'expect', id, grpcStartTime);
  if (sent) native.close(sent.connection);
  if (sent?.answer) return;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `start the gRPC shim of ${id}: it has ended, or is not ready`,
    hint: 'look into the log of containerd, which has its output',
  });
}

/**
 * The answer of `start`: containerd 1.7 accepts a gRPC shim only as version 2, later ones only as 3.
 * @param containerd its version, "v1.7.24" or "2.1.9"; empty for an unknown one
 */
export function grpcAnswer(address: string, containerd: string): string {
  const version = /^v?1\./.test(containerd) ? 2 : 3;
  return JSON.stringify({
    version,
    address,
    protocol: 'grpc',
    ...(version === 3 && { extensions: mountExtensions() }),
  });
}
