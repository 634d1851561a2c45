/** The interface of gRPC for the shared tree: grpc-server.ts implements it, and grpc.ts for Node.js. */
import type { Services } from '../transport/rpc.js';

export interface GrpcServer {
  /** Serves an accepted connection and takes over its descriptor. Calls `onEnd` when the connection ends. */
  serveConnection(fd: number, onEnd: () => void): void;
  /** Resolves at SIGINT or SIGTERM, which no longer kill the program. */
  awaitSignal(): Promise<void>;
  /** Answers pending calls for at most `ms` milliseconds, and ends all connections. */
  close(ms: number): Promise<void>;
}

export interface Grpc {
  /** Makes a server of the procedures. */
  serve(services: Services): GrpcServer;
}

let loader = async (): Promise<Grpc> => {
  const { checkHttp2, ...grpc } = await import('./grpc-server.js');
  checkHttp2();
  return grpc;
};

/** Sets another implementation; the entries of Node.js call it before anything else. */
export function setGrpcLoader(load: () => Promise<Grpc>): void {
  loader = load;
}

/** Loads gRPC. @throws RuntError ERR_UNSUPPORTED in a build without HTTP/2 */
export const loadGrpc = (): Promise<Grpc> => loader();
