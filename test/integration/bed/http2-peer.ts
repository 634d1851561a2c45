/** A client of HTTP/2 that sends any frames, in any order, and only notes what comes back (RFC 9113). */
import { connect, type Socket } from 'node:net';
import { eventually } from '../../deadline.js';

export const Frame = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const Setting = { HEADER_TABLE_SIZE: 1, INITIAL_WINDOW_SIZE: 4 } as const;

/** One frame: length, type, flags and stream before the payload. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(...entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = entries.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]));
  return frame(Frame.SETTINGS, 0, 0, Buffer.concat(payload));
}

/** A string of HPACK without Huffman coding (RFC 7541, section 5.2): the length has a prefix of seven bits. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const head = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) head.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...head, rest]), bytes]);
}

/** A header field; `indexed`: the peer keeps it in its dynamic table. */
export const field = (name: string, value: string, indexed = false): Buffer =>
  Buffer.concat([Buffer.from([indexed ? 0x40 : 0]), text(name), text(value)]);

/** The header list of a call. */
export const callHeaders = (path: string): Buffer =>
  Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', path),
    field(':authority', 'localhost'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
  ]);

/** A message of gRPC. */
export const message = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([0]), u32(bytes.length), bytes]);

/** The frames of a unary call. */
export const call = (stream: number, path: string, request: Uint8Array): Buffer =>
  Buffer.concat([
    frame(Frame.HEADERS, END_HEADERS, stream, callHeaders(path)),
    frame(Frame.DATA, END_STREAM, stream, message(request)),
  ]);

export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings()]);

interface Received {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export class Http2Peer {
  readonly socket: Socket;
  /** Frames from the server; the payload of DATA is dropped. */
  readonly received: Received[] = [];
  isClosed = false;
  private rest = Buffer.alloc(0);

  /** Connects, and sends the preface unless it is not to begin. */
  constructor(path: string, begins = true) {
    this.socket = connect(path);
    // Each unfinished `send` listens for the end.
    this.socket.setMaxListeners(0);
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('data', (data) => this.take(data as Buffer));
    if (begins) this.socket.write(preface);
  }

  /** Sends bytes; resolves when the kernel has taken them, or the connection has ended. */
  send(...parts: readonly Uint8Array[]): Promise<void> {
    return new Promise((settle) => {
      if (this.isClosed) settle();
      const done = (): void => {
        this.socket.off('close', done);
        settle();
      };
      this.socket.once('close', done);
      this.socket.write(Buffer.concat(parts), done);
    });
  }

  /** Waits until the server has ended the connection. */
  closed(what: string): Promise<unknown> {
    return eventually(what, () => this.isClosed);
  }

  /** Waits for a frame. */
  frame(what: string, matches: (frame: Received) => boolean): Promise<Received> {
    return eventually(what, () => this.received.find(matches));
  }

  /** Waits for GOAWAY or RST_STREAM, and returns its error code. */
  async errorCode(what: string): Promise<number> {
    const { type, payload } = await this.frame(what, ({ type }) => type === Frame.GOAWAY || type === Frame.RST_STREAM);
    return payload.readUInt32BE(type === Frame.GOAWAY ? 4 : 0);
  }

  /** Proves that the server still answers on this connection. */
  async ping(what: string): Promise<void> {
    const before = this.received.length;
    await this.send(frame(Frame.PING, 0, 0, Buffer.from('12345678')));
    await eventually(what, () => this.received.slice(before).some(({ type, flags }) => type === Frame.PING && flags));
  }

  end(): void {
    this.socket.destroy();
  }

  private take(data: Buffer): void {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      const length = this.rest.length < 9 ? 0 : this.rest.readUIntBE(0, 3);
      if (this.rest.length < 9 + length) return;
      const [type, flags, stream] = [this.rest.readUInt8(3), this.rest.readUInt8(4), this.rest.readUInt32BE(5)];
      const payload = Buffer.from(this.rest.subarray(9, 9 + (type === Frame.DATA ? 0 : length)));
      this.received.push({ type, flags, stream, payload });
      this.rest = this.rest.subarray(9 + length);
    }
  }
}
