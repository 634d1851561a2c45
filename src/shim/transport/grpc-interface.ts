/** gRPC as the shared tree sees it: Node.js has it (grpc.ts), the static binary speaks ttrpc alone. */
import type { Handler } from './ttrpc.js';

export interface GrpcServer {
  /** Serves a connection that was accepted; the descriptor is the server's from then on. `gone` is called at its end. */
  take(fd: number, gone: () => void): void;
  /** Resolves when the program is told to end: by SIGINT or SIGTERM, which end it no more. */
  told(): Promise<void>;
  /** Answers what has been asked, for `ms` milliseconds at most, and ends all connections. */
  close(ms: number): Promise<void>;
}

export interface Grpc {
  /** A server of the task service and of reflection; calls go to the handler. */
  serve(handler: Handler): GrpcServer;
  /** The version of the containerd at that socket, "2.1.9"; empty when it does not tell within `ms` milliseconds. */
  containerdVersion(socket: string, ms: number): Promise<string>;
}

let loader: (() => Promise<Grpc>) | undefined;

/** Says how gRPC is loaded; called by the entries of Node.js, before anything else runs. */
export function offerGrpc(load: () => Promise<Grpc>): void {
  loader = load;
}

/** How gRPC is loaded, undefined where it is not there. */
export const grpcLoader = (): (() => Promise<Grpc>) | undefined => loader;
