/** Serves gRPC on a listening socket: what `runt serve` and the gRPC shim have in common. */
import { grpcLastAnswersTime } from '../../sys/waiting/time-limits.js';
import { reapNowAndThen } from '../task/orphan-reaper.js';
import type { Grpc, GrpcServer } from './grpc-interface.js';
import { accept, type Handler } from './ttrpc.js';

/**
 * Until `end` resolves, which closes the socket; then the last answers are given.
 * @param client called for each client that comes; gives what is to be called when it has gone
 */
export async function serveGrpc(
  grpc: Grpc,
  listener: number,
  handler: Handler,
  end: (server: GrpcServer) => Promise<void>,
  client: () => () => void = () => () => {},
): Promise<void> {
  const server = grpc.serve(handler);
  const reaping = reapNowAndThen();
  void accept(listener, (fd) => server.take(fd, client()));
  await end(server);
  reaping.end();
  await server.close(grpcLastAnswersTime);
}
