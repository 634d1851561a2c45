/** The gRPC server loop of `runt serve` and the gRPC shim. */
import { grpcLastAnswersTime } from '../../sys/waiting/time-limits.js';
import { startReaping } from '../task/orphan-reaper.js';
import type { Services } from '../transport/rpc.js';
import { acceptConnections } from '../transport/ttrpc.js';
import type { Grpc, GrpcServer } from './grpc-interface.js';

/**
 * Serves until `end`, which closes the socket, resolves; then sends the last answers.
 * @param client called for each client that connects; returns a function to call when it disconnects
 */
export async function serveGrpc(
  grpc: Grpc,
  listener: number,
  services: Services,
  end: (server: GrpcServer) => Promise<void>,
  client: () => () => void = () => () => {},
): Promise<void> {
  const server = grpc.serve(services);
  const reaping = startReaping();
  void acceptConnections(listener, (fd) => server.serveConnection(fd, client()));
  await end(server);
  reaping.end();
  await server.close(grpcLastAnswersTime);
}
