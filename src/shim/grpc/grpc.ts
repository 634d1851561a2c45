/** gRPC by @grpc/grpc-js, for Node.js only; the procedures answer the messages, as bytes. */
import { Socket } from 'node:net';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { PendingCall } from '../transport/pending-call.js';
import type { CallFacts, Services, Streaming, Unary } from '../transport/rpc.js';
import { cancelledError, type StatusError } from '../transport/status-code.js';
import { failureOf } from './grpc-failure.js';
import type { GrpcServer } from './grpc-interface.js';

const identity = (bytes: Buffer): Buffer => bytes;

/** The failure of a call, as grpc-js expects it. */
function failure(error: unknown): { code: number; details: string; metadata?: Metadata } {
  const { code, message, details } = failureOf(error);
  if (!details) return { code, details: message };
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', buffer(details));
  return { code, details: message, metadata };
}

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const headersOf =
  ({ metadata }: { metadata: Metadata }): CallFacts['header'] =>
  (name) =>
    metadata.get(name)[0]?.toString();

const answerUnary = (unary: Unary) => (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
  const facts = new PendingCall(headersOf(call));
  call.once('cancelled', () => facts.cancel());
  unary(call.request, facts).then(
    (response) => done(null, buffer(response)),
    (error) => done(failure(error)),
  );
};

/** Passes the messages of a call on, one at a time: a client that sends faster than it is read has to wait. */
const answerStream = (streaming: Streaming) => (call: ServerDuplexStream<Buffer, Buffer>) => {
  const cancelled = new Promise<void>((settle) => call.once('cancelled', settle));
  // A promise keeps the memory of each race that it takes part in: `cancelled` takes part in none.
  const waits = new Set<(error: StatusError) => void>();
  void cancelled.then(() => {
    for (const end of waits) end(cancelledError());
  });
  const unlessCancelled = <T>(work: Promise<T>): Promise<T> =>
    new Promise<T>((settle, reject) => {
      if (call.cancelled) reject(cancelledError());
      waits.add(reject);
      work.then(settle, reject).finally(() => waits.delete(reject));
    });
  call.on('error', () => {});
  // The end of the requests must not destroy the call, which has more to send.
  const messages = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<
    Buffer,
    undefined
  >;
  const stream = {
    header: headersOf(call),
    cancelled,
    receive: async () => (await unlessCancelled(messages.next())).value,
    send: async (message: Uint8Array) => {
      if (call.cancelled) throw cancelledError();
      if (!call.write(buffer(message)))
        await unlessCancelled(new Promise<void>((settle) => call.once('drain', settle)));
    },
  };
  streaming(stream).then(
    () => call.end(),
    (error) => call.emit('error', failure(error)),
  );
};

export function serve(services: Services): GrpcServer {
  // The default refuses messages over 4 MiB, as ttrpc does.
  const server = new Server();
  for (const [path, procedure] of services) {
    if ('unary' in procedure) server.register(`/${path}`, answerUnary(procedure.unary), identity, identity, 'unary');
    else server.register(`/${path}`, answerStream(procedure.streaming), identity, identity, 'bidi');
  }
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
