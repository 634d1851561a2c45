/**
 * gRPC: the task service over HTTP/2, by @grpc/grpc-js. Messages pass as bytes: the handler of ttrpc answers them. Node only.
 */
import { Socket } from 'node:net';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { services } from '../../build/gen/descriptors.js';
import { addReflection } from './reflection.js';
import { statusOf } from './status.js';
import type { GrpcServer, GrpcTransport } from './transport.js';
import type { Handler } from './ttrpc.js';

const same = (bytes: Buffer): Buffer => bytes;

export const grpcServer: GrpcTransport = (handler: Handler): GrpcServer => {
  // What is longer than 4 MiB is refused, as over ttrpc: the default.
  const server = new Server();
  for (const { name, methods } of services) {
    for (const method of methods) {
      const answer = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        handler(name, method, call.request).then(
          (response) => done(null, Buffer.from(response.buffer, response.byteOffset, response.length)),
          (error) => {
            const { code, message } = statusOf(error);
            done({ code, details: message });
          },
        );
      };
      server.register(`/${name}/${method}`, answer, same, same, 'unary');
    }
  }
  addReflection(server);
  // Without TLS: the socket's mode and its peer's user say who may ask.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const told = new Promise<void>((settle) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => settle());
  });
  return {
    take(fd) {
      const socket = new Socket({ fd, readable: true, writable: true });
      // A client that vanishes is no matter to the others.
      socket.on('error', () => {});
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      injector.injectConnection(socket);
    },
    told,
    async close(ms) {
      injector.drain(ms);
      const closed = [...sockets].map((socket) => new Promise<void>((settle) => socket.once('close', settle)));
      await Promise.race([Promise.all(closed), new Promise<void>((settle) => setTimeout(settle, ms))]);
      injector.destroy();
      server.forceShutdown();
    },
  };
};
