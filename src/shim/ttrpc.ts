/**
 * ttrpc, the protocol between containerd and its shims: requests and responses in frames over a unix socket. A frame is
 * a header of ten bytes (length and stream as big-endian u32, a type, flags) and a message of proto/ttrpc.proto.
 */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { forget, readable, sleep, writable } from '../sys/loop.js';
import { ttrpc } from './protos.js';
import { Code, StatusError, statusOf } from './status.js';

const HEADER = 10;
/** A longer message is refused, as by containerd. */
const MOST = 4 << 20;
const REQUEST = 1;
const RESPONSE = 2;

/** Answers a call: the name of the service, that of the method, the request's bytes → the response's. */
export type Handler = (service: string, method: string, payload: Uint8Array) => Promise<Uint8Array>;

interface Pending {
  readonly settle: (payload: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

/** One connection, of a server or of a client. */
export class Connection {
  private data = new Uint8Array(4096);
  private length = 0;
  private lastStream = -1;
  private readonly pending = new Map<number, Pending>();
  private open = true;
  /** Frames that have not been sent; the first one may be cut. */
  private readonly outgoing: Uint8Array[] = [];
  /** The same socket: a descriptor is waited for in one direction at a time. */
  private readonly out: number;

  constructor(
    private readonly fd: number,
    /** A client has none: it only asks. */
    private readonly handler?: Handler,
  ) {
    this.out = native.duplicate(fd);
  }

  /** Reads until the other side ends; calls that still wait fail then. Never throws. */
  async serve(): Promise<void> {
    try {
      while (this.open && (await this.receive()));
    } finally {
      this.close();
    }
  }

  /** Calls a method. @throws StatusError with what it answered, RuntError ERR_IO when the connection ends before */
  async call(service: string, method: string, payload: Uint8Array): Promise<Uint8Array> {
    if (!this.open) throw ended();
    this.lastStream += 2;
    const stream = this.lastStream;
    const answer = new Promise<Uint8Array>((settle, fail) => this.pending.set(stream, { settle, fail }));
    this.send(stream, REQUEST, ttrpc.Request.encode({ service, method, payload }).finish());
    return answer;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    for (const fd of [this.fd, this.out]) {
      forget(fd);
      native.close(fd);
    }
    for (const { fail } of this.pending.values()) fail(ended());
    this.pending.clear();
  }

  /** Takes what has come. False at the end. */
  private async receive(): Promise<boolean> {
    if (!(await readable(this.fd)) || !this.open) return false;
    if (this.length === this.data.length) this.grow(2 * this.length);
    const n = native.read(this.fd, this.data.subarray(this.length));
    if (n <= 0) return n === -E.EAGAIN;
    this.length += n;
    return this.frames();
  }

  /** Deals with every whole frame. False when the other side speaks another language. */
  private frames(): boolean {
    let at = 0;
    for (;;) {
      if (this.length - at < HEADER) break;
      const view = new DataView(this.data.buffer, this.data.byteOffset + at, HEADER);
      const size = view.getUint32(0);
      if (size > MOST) return false;
      if (this.length - at < HEADER + size) {
        if (HEADER + size > this.data.length) this.grow(HEADER + size);
        break;
      }
      const message = this.data.slice(at + HEADER, at + HEADER + size);
      this.frame(view.getUint32(4), view.getUint8(8), message);
      at += HEADER + size;
    }
    this.data.copyWithin(0, at, this.length);
    this.length -= at;
    return true;
  }

  private frame(stream: number, type: number, message: Uint8Array): void {
    if (type === REQUEST && this.handler) {
      void this.answer(stream, message, this.handler);
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

  private async answer(stream: number, message: Uint8Array, handler: Handler): Promise<void> {
    let response: ttrpc.Response.$Properties;
    try {
      const { service = '', method = '', payload } = ttrpc.Request.decode(message) as ttrpc.Request;
      response = { payload: await handler(service, method, payload ?? new Uint8Array()) };
    } catch (error) {
      response = { status: statusOf(error) };
    }
    let encoded = ttrpc.Response.encode(response).finish();
    if (encoded.length > MOST) {
      const what = `the answer is too long: ${encoded.length} bytes`;
      encoded = ttrpc.Response.encode({ status: { code: Code.RESOURCE_EXHAUSTED, message: what } }).finish();
    }
    if (this.open) this.send(stream, RESPONSE, encoded);
  }

  private send(stream: number, type: number, message: Uint8Array): void {
    if (message.length > MOST) throw new StatusError(Code.UNKNOWN, `a message of ${message.length} bytes is too long`);
    const frame = new Uint8Array(HEADER + message.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, message.length);
    view.setUint32(4, stream);
    view.setUint8(8, type);
    frame.set(message, HEADER);
    this.outgoing.push(frame);
    if (this.outgoing.length === 1) void this.flush();
  }

  private async flush(): Promise<void> {
    for (let first = this.outgoing[0]; first && this.open; first = this.outgoing[0]) {
      const n = native.send(this.out, first);
      if (n === first.length) this.outgoing.shift();
      else if (n > 0) this.outgoing[0] = first.subarray(n);
      else if (n !== -E.EAGAIN || !(await writable(this.out))) this.close();
    }
  }

  private grow(size: number): void {
    const data = new Uint8Array(size);
    data.set(this.data.subarray(0, this.length));
    this.data = data;
  }
}

const ended = (): RuntError => new RuntError({ code: 'ERR_IO', message: 'the connection has ended' });

/** ms without a look when a connection cannot be taken: there are too many descriptors. */
const pause = 100;

/** Accepts connections on a listening socket, until that is forgotten; `take` serves them. */
export async function accept(socket: number, take: (fd: number) => void): Promise<void> {
  while (await readable(socket)) {
    const fd = native.accept(socket);
    if (fd >= 0) take(fd);
    // Another user's connection is closed by now, and holds nobody up.
    else if (fd !== -E.EAGAIN && fd !== -E.EACCES) await sleep(pause);
  }
}
