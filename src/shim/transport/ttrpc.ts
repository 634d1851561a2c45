/** ttrpc, containerd's protocol for its shims: requests and responses in frames over a unix socket. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { forget, readable, sleep, writable } from '../../sys/waiting/loop.js';
import { acceptPause } from '../../sys/waiting/time-limits.js';
import type { Clients, Receiver } from './client-limits.js';
import { PendingCall } from './pending-call.js';
import { ttrpc } from './protos.js';
import type { Services, Streaming, UnaryCall } from './rpc.js';
import { Code, StatusError, statusOf } from './status-code.js';
import { TtrpcStream } from './ttrpc-stream.js';

/** Bytes before the message (proto/ttrpc.proto) of a frame: length and stream as big-endian u32, a type, flags. */
const HEADER = 10;
/** The longest message, as in containerd. */
const MAX_MESSAGE = 4 << 20;
/** Initial bytes of a connection's buffer, which grows while a longer message arrives and shrinks afterwards. */
const initialSize = 1024;
/** With more bytes of unread answers than this, no more requests of the client are read. */
const maxUnread = 64 << 10;
/** The most bytes of a request's headers, which its call keeps, with 32 for each as in HTTP/2. */
const maxHeaders = 16 << 10;
const REQUEST = 1;
const RESPONSE = 2;
const DATA = 3;
/** Flags: the sender sends no more messages of the stream; more follow; the frame has no message. */
const REMOTE_CLOSED = 1;
const REMOTE_OPEN = 2;
const NO_DATA = 4;

/** Answers a call: service name, method name, request bytes → response bytes. */
export type Handler = (service: string, method: string, payload: Uint8Array, call: UnaryCall) => Promise<Uint8Array>;

/** Finds the procedure of a call with streams, by `package.Service/Method`. */
type StreamingLookup = (path: string) => Streaming | undefined;

interface Pending {
  readonly settle: (payload: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

/** One connection, on the server's or the client's side. */
export class Connection implements Receiver {
  private data = new Uint8Array(initialSize);
  private length = 0;
  /** Bytes of a refused message that have not arrived yet. */
  private rest = 0;
  private lastStream = -1;
  private readonly pending = new Map<number, Pending>();
  /** Calls that are being answered. */
  private readonly answering = new Set<PendingCall>();
  /** Calls with streams that are being answered. */
  private readonly streams = new Map<number, TtrpcStream>();
  private open = true;
  /** Unsent frames; the first one may be partly sent. */
  private readonly outgoing: Uint8Array[] = [];
  private outgoingBytes = 0;
  private flushing: Promise<void> | undefined;
  /** A duplicate of `fd`: the event loop waits for one direction of a descriptor only. */
  private readonly out: number;

  constructor(
    private readonly fd: number,
    /** Absent for a client. */
    private readonly handler?: Handler,
    /** All clients of the server; without it only the length of a message is limited. */
    private readonly clients?: Clients,
    /** Absent if no procedure has streams. */
    private readonly streaming?: StreamingLookup,
  ) {
    this.out = native.duplicate(fd);
  }

  /** Reads until the peer closes the connection; pending calls fail then. Never throws. */
  async serve(): Promise<void> {
    try {
      while (this.open && (await this.receive())) {
        // Read no more requests of a client that does not read its answers.
        if (this.handler && this.outgoingBytes > maxUnread) await this.flushing;
      }
    } finally {
      this.close();
    }
  }

  /** Calls a method. @throws StatusError of the answer, RuntError ERR_IO if the connection ends before the answer */
  async call(service: string, method: string, payload: Uint8Array): Promise<Uint8Array> {
    if (!this.open) throw closedError();
    this.lastStream += 2;
    const stream = this.lastStream;
    const answer = new Promise<Uint8Array>((settle, fail) => this.pending.set(stream, { settle, fail }));
    try {
      this.send(stream, REQUEST, ttrpc.Request.encode({ service, method, payload }).finish());
    } catch (error) {
      this.pending.delete(stream);
      throw error;
    }
    return answer;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.clients?.release(this);
    this.data = nothing;
    for (const fd of [this.fd, this.out]) {
      forget(fd);
      native.close(fd);
    }
    for (const { fail } of this.pending.values()) fail(closedError());
    this.pending.clear();
    for (const call of this.answering) call.cancel();
    for (const stream of this.streams.values()) stream.cancel();
  }

  /** Reads the bytes that have arrived. False at end-of-file. */
  private async receive(): Promise<boolean> {
    if (!(await readable(this.fd)) || !this.open) return false;
    if (this.length === this.data.length) this.grow();
    if (this.rest > 0) return this.skip();
    const n = native.read(this.fd, this.data.subarray(this.length));
    if (n <= 0) return n === -E.EAGAIN;
    this.length += n;
    return this.frames();
  }

  /** Reads and drops bytes of a refused message. */
  private skip(): boolean {
    const n = native.read(this.fd, skipped.subarray(0, Math.min(this.rest, skipped.length)));
    if (n <= 0) return n === -E.EAGAIN;
    this.rest -= n;
    return true;
  }

  /** Handles every complete frame. False if the connection has ended, or a frame is too long: not ttrpc. */
  private frames(): boolean {
    let at = 0;
    for (;;) {
      if (this.length - at < HEADER) break;
      const { size, stream, type, flags } = this.header(at);
      if (size > MAX_MESSAGE) {
        this.clients?.logRefusal(
          `a connection is closed: it announces a message of ${size} bytes, more than ${MAX_MESSAGE}`,
        );
        return false;
      }
      if (this.length - at < HEADER + size) break;
      this.frame(stream, type, flags, this.message(at + HEADER, at + HEADER + size));
      // `frame` may have closed the connection.
      if (!this.open) return false;
      at += HEADER + size;
    }
    this.data.copyWithin(0, at, this.length);
    this.length -= at;
    if (this.length <= initialSize && this.bufferSize > 0) this.resize(initialSize);
    return true;
  }

  private header(at: number): { size: number; stream: number; type: number; flags: number } {
    const view = new DataView(this.data.buffer, this.data.byteOffset + at, HEADER);
    return { size: view.getUint32(0), stream: view.getUint32(4), type: view.getUint8(8), flags: view.getUint8(9) };
  }

  /** A copy of the message; a long message that fills the buffer takes the buffer over. */
  private message(from: number, to: number): Uint8Array {
    if (from > HEADER || to < this.length || this.bufferSize === 0) return this.data.slice(from, to);
    const message = this.data.subarray(from, to);
    this.data = new Uint8Array(initialSize);
    this.clients?.release(this);
    return message;
  }

  private frame(stream: number, type: number, flags: number, message: Uint8Array): void {
    if (type === REQUEST && this.handler) {
      if (this.streaming && flags & REMOTE_OPEN) this.answerStream(stream, message, this.streaming);
      else this.answer(stream, message, this.handler);
      return;
    }
    if (type === DATA) {
      const call = this.streams.get(stream);
      if (!(flags & NO_DATA)) call?.push(message);
      if (flags & REMOTE_CLOSED) call?.end();
      return;
    }
    const waiting = type === RESPONSE ? this.pending.get(stream) : undefined;
    if (!waiting) return;
    this.pending.delete(stream);
    try {
      const { status, payload } = ttrpc.Response.decode(message);
      if (status?.code) waiting.fail(new StatusError(status.code, status.message ?? ''));
      else waiting.settle(payload ?? new Uint8Array());
    } catch (error) {
      waiting.fail(error as Error);
    }
  }

  /** Calls the handler, and keeps no reference to the message meanwhile. */
  private answer(stream: number, message: Uint8Array, handler: Handler): void {
    if (this.clients?.beginCall() === false) {
      this.fail(stream, new StatusError(Code.RESOURCE_EXHAUSTED, 'too many calls wait for an answer'));
      return;
    }
    let answer: Promise<Uint8Array>;
    let header: Header = () => undefined;
    const call = new PendingCall((name) => header(name));
    this.answering.add(call);
    try {
      const { service = '', method = '', payload, metadata } = ttrpc.Request.decode(message) as ttrpc.Request;
      header = headerOf(metadata);
      answer = handler(service, method, payload ?? new Uint8Array(), call);
    } catch (error) {
      answer = Promise.reject(error);
    }
    void answer
      .then(
        (payload) => this.respond(stream, { payload }),
        (error) => this.fail(stream, error),
      )
      .finally(() => {
        this.answering.delete(call);
        this.clients?.endCall();
      });
  }

  /** Answers a call whose client sends more messages after this one, which has none. */
  private answerStream(stream: number, message: Uint8Array, lookup: StreamingLookup): void {
    if (this.streams.has(stream)) {
      this.fail(stream, new StatusError(Code.INVALID_ARGUMENT, `the stream ${stream} is in use`));
      return;
    }
    if (this.clients?.beginCall() === false) {
      this.fail(stream, new StatusError(Code.RESOURCE_EXHAUSTED, 'too many calls wait for an answer'));
      return;
    }
    const serve = async (): Promise<void> => {
      const { service, method, metadata } = ttrpc.Request.decode(message) as ttrpc.Request;
      const procedure = lookup(`${service}/${method}`);
      if (!procedure)
        throw new StatusError(Code.UNIMPLEMENTED, `${service}/${method} is not supported by this version of runt`);
      const header = headerOf(metadata);
      const sendFrame = async (data: Uint8Array): Promise<void> => {
        this.send(stream, DATA, data);
        if (this.outgoingBytes > maxUnread) await this.flushing;
      };
      const call = new TtrpcStream(header, sendFrame, this.clients);
      this.streams.set(stream, call);
      await procedure(call);
    };
    void serve()
      .then(
        () => this.open && this.send(stream, DATA, nothing, REMOTE_CLOSED | NO_DATA),
        (error) => this.fail(stream, error),
      )
      .finally(() => {
        this.streams.get(stream)?.drop();
        this.streams.delete(stream);
        this.clients?.endCall();
      });
  }

  private fail(stream: number, error: unknown): void {
    const { code, message } = statusOf(error);
    this.respond(stream, { status: { code, message } });
  }

  private respond(stream: number, response: ttrpc.Response.$Properties): void {
    const encoded = ttrpc.Response.encode(response).finish();
    if (encoded.length > MAX_MESSAGE) {
      const what = `the answer is too long: ${encoded.length} bytes`;
      this.fail(stream, new StatusError(Code.RESOURCE_EXHAUSTED, what));
    } else if (this.open) this.send(stream, RESPONSE, encoded);
  }

  private send(stream: number, type: number, message: Uint8Array, flags = 0): void {
    if (message.length > MAX_MESSAGE)
      throw new StatusError(Code.UNKNOWN, `a message of ${message.length} bytes is too long`);
    const frame = new Uint8Array(HEADER + message.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, message.length);
    view.setUint32(4, stream);
    view.setUint8(8, type);
    view.setUint8(9, flags);
    frame.set(message, HEADER);
    this.outgoing.push(frame);
    this.outgoingBytes += frame.length;
    // With more frames, `flush` is already running.
    if (this.outgoing.length === 1) this.flushing = this.flush();
  }

  private async flush(): Promise<void> {
    for (let first = this.outgoing[0]; first && this.open; first = this.outgoing[0]) {
      const n = native.send(this.out, first);
      if (n > 0) this.outgoingBytes -= n;
      if (n === first.length) this.outgoing.shift();
      else if (n > 0) this.outgoing[0] = first.subarray(n);
      else if (n !== -E.EAGAIN || !(await writable(this.out))) this.close();
    }
  }

  /** Size of the buffer if it has grown, else 0. */
  get bufferSize(): number {
    return this.data.length > initialSize ? this.data.length : 0;
  }

  refuse(why: string): void {
    const { size, stream, type } = this.header(0);
    this.rest = HEADER + size - this.length;
    this.length = 0;
    this.resize(initialSize);
    const error = new StatusError(Code.RESOURCE_EXHAUSTED, why);
    if (type === REQUEST && this.handler) this.fail(stream, error);
  }

  /** Doubles the full buffer, up to the size of the message at its start. */
  private grow(): void {
    const size = Math.min(2 * this.length, HEADER + this.header(0).size);
    if (this.clients?.reserve(this, size) !== false) this.resize(size);
  }

  private resize(size: number): void {
    const data = new Uint8Array(size);
    data.set(this.data.subarray(0, this.length));
    this.data = data;
    if (this.bufferSize === 0) this.clients?.release(this);
  }
}

const nothing = new Uint8Array(0);
/** Buffer for the dropped bytes of refused messages. */
const skipped = new Uint8Array(32 << 10);

type Header = (name: string) => string | undefined;

/** Finds a header of a request. @throws StatusError RESOURCE_EXHAUSTED if they are too long */
function headerOf(metadata: readonly ttrpc.KeyValue.$Properties[]): Header {
  let size = 0;
  for (const { key, value } of metadata) size += (key?.length ?? 0) + (value?.length ?? 0) + 32;
  if (size > maxHeaders)
    throw new StatusError(Code.RESOURCE_EXHAUSTED, `the request has ${size} bytes of headers, more than ${maxHeaders}`);
  return (name) => metadata.find(({ key }) => key?.toLowerCase() === name)?.value ?? undefined;
}

const closedError = (): RuntError => new RuntError({ code: 'ERR_IO', message: 'the connection has ended' });

/** A handler for the procedures without streams. */
export const unaryHandler =
  (services: Services): Handler =>
  async (service, method, payload, call) => {
    const procedure = services.get(`${service}/${method}`);
    if (!procedure || !('unary' in procedure))
      throw new StatusError(Code.UNIMPLEMENTED, `${service}/${method} is not supported by this version of runt`);
    return procedure.unary(payload, call);
  };

/** Finds the procedures with streams. */
export const streamingLookup =
  (services: Services): StreamingLookup =>
  (path) => {
    const procedure = services.get(path);
    return procedure && 'streaming' in procedure ? procedure.streaming : undefined;
  };

/** Accepts connections on a listening socket and passes them to `onConnection`, until `forget` of the socket. */
export async function acceptConnections(socket: number, onConnection: (fd: number) => void): Promise<void> {
  while (await readable(socket)) {
    const fd = native.accept(socket);
    if (fd >= 0) onConnection(fd);
    // EACCES: a connection of another user, already closed: no pause.
    else if (fd !== -E.EAGAIN && fd !== -E.EACCES) await sleep(acceptPause);
  }
}
