/** The task service over gRPC, by @grpc/grpc-js; ttrpc's handler answers the messages, as bytes. Node only. */
import { Socket } from 'node:net';
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { services } from '../../../build/gen/descriptors.js';
import { containerd } from '../../../build/gen/grpc.js';
import { clipped } from '../../sys/report/clipped-text.js';
import type { GrpcServer } from './grpc-interface.js';
import { addReflection } from './reflection.js';
import { statusOf } from './status-code.js';
import type { Handler } from './ttrpc.js';

const identity = (bytes: Buffer): Buffer => bytes;

/**
 * Cuts the details of a status. They are a header, percent-encoded (grpc: PROTOCOL-HTTP2): HTTP/2 has room for 64 KiB,
 * and a longer one ends the connection without an answer.
 */
const bounded = (text: string): string => (encodeURI(text).length <= 32 << 10 ? text : clipped(text, 3500));

export function serve(handler: Handler): GrpcServer {
  // The default refuses messages over 4 MiB, as ttrpc does.
  const server = new Server();
  for (const { name, methods } of services) {
    for (const method of methods) {
      const answer = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        handler(name, method, call.request).then(
          (response) => done(null, Buffer.from(response.buffer, response.byteOffset, response.length)),
          (error) => {
            const { code, message } = statusOf(error);
            done({ code, details: bounded(message) });
          },
        );
      };
      server.register(`/${name}/${method}`, answer, identity, identity, 'unary');
    }
  }
  addReflection(server);
  // No TLS: the socket's mode and its peer credentials restrict access.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  return {
    serveConnection(fd, onEnd) {
      const socket = new Socket({ fd, readable: true, writable: true });
      // An error on one connection must not affect the others.
      socket.on('error', () => {});
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        onEnd();
      });
      injector.injectConnection(socket);
    },
    awaitSignal: () =>
      new Promise((settle) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => settle());
      }),
    async close(ms) {
      injector.drain(ms);
      const closed = [...sockets].map((socket) => new Promise<void>((settle) => socket.once('close', settle)));
      await Promise.race([Promise.all(closed), new Promise<void>((settle) => setTimeout(settle, ms))]);
      injector.destroy();
      server.forceShutdown();
    },
  };
}

export function containerdVersion(socket: string, ms: number): Promise<string> {
  const client = new Client(`unix://${socket}`, credentials.createInsecure());
  const { VersionResponse } = containerd.services.version.v1;
  return new Promise((settle) => {
    client.makeUnaryRequest(
      '/containerd.services.version.v1.Version/Version',
      identity,
      (bytes: Buffer) => VersionResponse.decode(bytes).version,
      Buffer.alloc(0),
      { deadline: Date.now() + ms },
      (error, version) => {
        client.close();
        settle(error ? '' : (version ?? ''));
      },
    );
  });
}
