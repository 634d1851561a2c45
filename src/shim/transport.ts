/** gRPC as the shared tree sees it: the host of Node.js has it (grpc.ts), the static binary speaks ttrpc alone. */
import type { Handler } from './ttrpc.js';

export interface GrpcServer {
  /** Serves a connection that was accepted; the descriptor is the server's from then on. */
  take(fd: number): void;
  /** Resolves with the signal when the program is told to end: SIGINT or SIGTERM. */
  readonly told: Promise<void>;
  /** Answers what has been asked, for `ms` milliseconds at most, and ends all connections. */
  close(ms: number): Promise<void>;
}

/** A server of the task service and of reflection; calls go to the handler. */
export type GrpcTransport = (handler: Handler) => GrpcServer;
