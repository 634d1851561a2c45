/** The client of the API for scripts (docs/grpc.md). Node.js only. */
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status as statusCodes,
} from '@grpc/grpc-js';
import type { Containers, Conversation, ErrorDetails, Health } from '../../build/gen/client-methods.js';
import * as generated from '../../build/gen/client-methods.js';

export type * from '../../build/gen/client-methods.js';

// Timestamps become dates.
generated.timestamp.toObject = (message) => {
  const { seconds = 0, nanos = 0 } = message as { seconds?: number; nanos?: number };
  return new Date(seconds * 1000 + Math.floor(nanos / 1e6));
};

export interface CallOptions {
  /** Cancels the call, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds until the call fails with the status DEADLINE_EXCEEDED. */
  timeout?: number;
}

export interface ConnectOptions {
  /** Namespace of containerd's, for the API of `runt serve --containerd`. Default: `default`. */
  namespace?: string;
}

/** A client of one server. Every call throws `CallError`. */
export interface Client extends Containers<CallOptions> {
  /** Whether the server and its services are there. */
  readonly health: Health<CallOptions>;
  /** Closes the connection, and cancels the calls. */
  close(): void;
}

/** A call that failed. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** gRPC's status, such as NOT_FOUND, UNAVAILABLE or CANCELLED. */
  readonly status: string;
  /** runt's stable code, such as ERR_MOUNT (docs/errors.md); absent if the error is not one of runt's. */
  readonly code: string | undefined;
  /** What to do. */
  readonly hint: string | undefined;
  /** JSON pointer of the config value that the error comes from. */
  readonly pointer: string | undefined;
  /** All facts that the server sent. */
  readonly details: ErrorDetails | undefined;

  constructor(message: string, status: string, details?: ErrorDetails) {
    super(message);
    this.status = status;
    this.details = details;
    this.code = details?.code;
    this.hint = details?.hint || undefined;
    this.pointer = details?.pointer || undefined;
  }
}

/**
 * A client of the server at a unix socket, which connects with the first call.
 * @param address `unix:///path` or an absolute path
 * @throws TypeError for another address
 */
export function connect(address: string, { namespace }: ConnectOptions = {}): Client {
  const path = address.replace(/^unix:(\/\/)?(?=\/)/, '');
  if (!path.startsWith('/')) throw new TypeError(`not unix:///path, nor an absolute path: ${address}`);
  const connection = {
    grpc: new GrpcClient(`unix://${path}`, credentials.createInsecure()),
    calls: new Set<Cancellable>(),
    metadata: new Metadata(),
  };
  if (namespace !== undefined) connection.metadata.set('containerd-namespace', namespace);
  return {
    ...(service(connection, generated.containers) as unknown as Containers<CallOptions>),
    health: service(connection, generated.health) as unknown as Health<CallOptions>,
    close() {
      for (const call of connection.calls) call.cancel();
      connection.grpc.close();
    },
  };
}

interface Cancellable {
  cancel(): void;
}

interface Connection {
  readonly grpc: GrpcClient;
  /** The calls that have not ended. */
  readonly calls: Set<Cancellable>;
  /** Sent with each call. */
  readonly metadata: Metadata;
}

type Methods = Readonly<Record<string, generated.Method>>;

function service(connection: Connection, methods: Methods): object {
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      method.requestStream
        ? (options?: CallOptions) => converse(connection, method, options)
        : method.responseStream
          ? (request: object, options?: CallOptions) => receive(connection, method, request, options)
          : (request: object = {}, options?: CallOptions) => ask(connection, method, request, options),
    ]),
  );
}

const encoder =
  ({ request }: generated.Method) =>
  (message: object): Buffer =>
    Buffer.from(request.encode(request.fromObject(message)).finish());

const decoder =
  ({ response }: generated.Method) =>
  (bytes: Buffer): object =>
    response.toObject(response.decode(bytes), { defaults: true, oneofs: true, longs: Number, enums: String });

const deadline = ({ timeout }: CallOptions): { deadline?: number } =>
  timeout === undefined ? {} : { deadline: Date.now() + timeout };

/** Lets a call be cancelled by a signal and by `close`. Returns the function that ends that. */
function track(calls: Set<Cancellable>, signal: AbortSignal | undefined, call: Cancellable): () => void {
  const cancel = (): void => call.cancel();
  calls.add(call);
  signal?.addEventListener('abort', cancel);
  return () => {
    calls.delete(call);
    signal?.removeEventListener('abort', cancel);
  };
}

/** The error of a call as users see it. */
function errorOf(error: unknown, signal: AbortSignal | undefined): unknown {
  const { code, details, metadata } = error as ServiceError;
  if (signal?.aborted && code === statusCodes.CANCELLED) return signal.reason;
  if (code === undefined) return error;
  const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
  return new CallError(details, statusCodes[code] ?? String(code), detailsOf(bytes as Buffer | undefined));
}

function detailsOf(bytes: Buffer | undefined): ErrorDetails | undefined {
  if (!bytes) return undefined;
  const { details } = generated.status.decode(bytes) as { details: { type_url: string; value: Uint8Array }[] };
  const ours = details.find(({ type_url }) => type_url === 'type.googleapis.com/runt.v1.Error');
  if (!ours) return undefined;
  const { toObject, decode } = generated.errorDetails;
  return toObject(decode(ours.value), { defaults: true }) as ErrorDetails;
}

function ask(
  { grpc, calls, metadata }: Connection,
  method: generated.Method,
  request: object,
  o: CallOptions = {},
): Promise<object> {
  return new Promise((settle, fail) => {
    o.signal?.throwIfAborted();
    const [encode, decode] = [encoder(method), decoder(method)];
    const call = grpc.makeUnaryRequest(method.path, encode, decode, request, metadata, deadline(o), (error, answer) => {
      done();
      if (error) fail(errorOf(error, o.signal));
      else settle(answer as object);
    });
    const done = track(calls, o.signal, call);
  });
}

type Incoming = ClientReadableStream<object> | ClientDuplexStream<object, object>;

/** The messages of a call that has begun. If the loop over them ends early, the call is cancelled. */
function messagesOf(calls: Set<Cancellable>, call: Incoming, signal: AbortSignal | undefined): AsyncIterable<object> {
  const done = track(calls, signal, call);
  let failure: unknown;
  // Also before the loop begins.
  call.on('error', (error) => {
    failure = error;
  });
  const over = new Promise<void>((settle) => call.once('status', () => settle()));
  void over.then(done);
  return (async function* () {
    try {
      for await (const message of call) yield message as object;
      await over;
      if (failure) throw failure;
    } catch (error) {
      throw errorOf(error, signal);
    } finally {
      call.cancel();
    }
  })();
}

function receive(
  { grpc, calls, metadata }: Connection,
  method: generated.Method,
  request: object,
  o: CallOptions = {},
): AsyncIterable<object> {
  o.signal?.throwIfAborted();
  const [encode, decode] = [encoder(method), decoder(method)];
  const call = grpc.makeServerStreamRequest(method.path, encode, decode, request, metadata, deadline(o));
  return messagesOf(calls, call, o.signal);
}

function converse(
  { grpc, calls, metadata }: Connection,
  method: generated.Method,
  o: CallOptions = {},
): Conversation<object, object> {
  o.signal?.throwIfAborted();
  const [encode, decode] = [encoder(method), decoder(method)];
  const call = grpc.makeBidiStreamRequest<object, object>(method.path, encode, decode, metadata, deadline(o));
  const messages = messagesOf(calls, call, o.signal);
  const over = new Promise<void>((settle) => call.once('status', () => settle()));
  return {
    [Symbol.asyncIterator]: () => messages[Symbol.asyncIterator](),
    send: (message) =>
      new Promise((settle) => {
        if (call.write(message)) settle();
        else {
          call.once('drain', settle);
          // What the call has failed with, the loop over its messages throws.
          void over.then(settle);
        }
      }),
    end: () => {
      call.end();
    },
  };
}
