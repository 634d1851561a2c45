/** Remote procedures, whatever transports their calls: messages are bytes here. */

/** A call with a stream of messages in one direction or both. */
export interface Stream {
  /** The client's next message; undefined after its last one. @throws StatusError CANCELLED if the call has ended */
  receive(): Promise<Uint8Array | undefined>;
  /** Sends a message; resolves when there is room for another. @throws StatusError CANCELLED if the call has ended */
  send(message: Uint8Array): Promise<void>;
  /** Resolves if the client cancels the call, its deadline passes or its connection ends; else never. */
  readonly cancelled: Promise<void>;
}

/** A procedure with one request and one response. @throws StatusError, RuntError with the status of the call */
export type Unary = (request: Uint8Array) => Promise<Uint8Array>;

/** The call succeeds when this resolves. @throws StatusError, RuntError with the status of the call */
export type Streaming = (stream: Stream) => Promise<void>;

export type Procedure = { readonly unary: Unary } | { readonly streaming: Streaming };

/** The procedures of a server, each under `package.Service/Method`. */
export type Services = ReadonlyMap<string, Procedure>;
