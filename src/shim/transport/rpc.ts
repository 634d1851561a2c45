/** Remote procedures, whatever transports their calls: messages are bytes here. */

/** What a call has beside its messages. */
export interface CallFacts {
  /** The first value of a header of the request (metadata), whose name is in lower case; undefined without one. */
  header(name: string): string | undefined;
  /** Resolves if the client cancels the call, its deadline passes or its connection ends; else never. */
  readonly cancelled: Promise<void>;
}

/** A call with one request and one response. */
export interface UnaryCall extends CallFacts {
  /** Called when `cancelled` resolves, which sets it: use one of the two. For Waits: a server may have thousands. */
  onCancel: (() => void) | undefined;
}

/** A call with a stream of messages in one direction or both. */
export interface Stream extends CallFacts {
  /** The client's next message; undefined after its last one. @throws StatusError CANCELLED if the call has ended */
  receive(): Promise<Uint8Array | undefined>;
  /** Sends a message; resolves when there is room for another. @throws StatusError CANCELLED if the call has ended */
  send(message: Uint8Array): Promise<void>;
}

/**
 * A procedure with one request and one response. If the call is cancelled, a wait must end: a client may begin and
 * cancel any number of calls.
 * @throws StatusError, RuntError with the status of the call
 */
export type Unary = (request: Uint8Array, call: UnaryCall) => Promise<Uint8Array>;

/** The call succeeds when this resolves. @throws StatusError, RuntError with the status of the call */
export type Streaming = (stream: Stream) => Promise<void>;

export type Procedure = { readonly unary: Unary } | { readonly streaming: Streaming };

/** The procedures of a server, each under `package.Service/Method`. */
export type Services = ReadonlyMap<string, Procedure>;

/** The names of the services, `package.Service`. */
export const serviceNames = (services: Services): ReadonlySet<string> =>
  new Set([...services.keys()].map((path) => path.slice(0, path.indexOf('/'))));
