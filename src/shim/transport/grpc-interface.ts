/** The interface of gRPC for the shared tree: grpc.ts implements it for Node.js; the static binary has only ttrpc. */
import type { Services } from './rpc.js';

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
  /** The version of the containerd at that socket, "2.1.9"; empty if it does not answer within `ms` milliseconds. */
  containerdVersion(socket: string, ms: number): Promise<string>;
}

let loader: (() => Promise<Grpc>) | undefined;

/** Sets the loader of gRPC; the entries of Node.js call it before anything else. */
export function setGrpcLoader(load: () => Promise<Grpc>): void {
  loader = load;
}

/** The loader of gRPC, undefined in the static binary. */
export const grpcLoader = (): (() => Promise<Grpc>) | undefined => loader;
