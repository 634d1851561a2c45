/** One HTTP/2 connection: a socket, and a session of the core (native/core/sockets/http2.c), which does no I/O. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { nulList } from '../../sys/nul-list.js';
import { HTTP2_EVENT, Protocol } from '../../sys/protocol.js';
import { forget, now, readable, writable } from '../../sys/waiting/loop.js';
import { http2PrefaceTime } from '../../sys/waiting/time-limits.js';

/** What the peer does with its streams. These functions throw nothing. */
export interface StreamEvents {
  /** A request or its trailers: names and values in turn; none if the list is too long. */
  headers(stream: number, list: readonly string[]): void;
  /** Bytes of the body, only for this call: the next event overwrites them. Call `consume` when there is room again. */
  data(stream: number, bytes: Uint8Array): void;
  /** The peer sends no more on this stream. */
  end(stream: number): void;
  /** What `data` of the connection has queued is sent. */
  drained(stream: number): void;
  /** The stream is closed: the answer is sent, or one side has reset it. */
  closed(stream: number): void;
}

const frameSize = 16 << 10;
// All connections share these: each use ends before the next one begins.
const input = new Uint8Array(frameSize);
const output = new Uint8Array(frameSize);
const event = new Uint8Array(Protocol.HTTP2_HEAD + frameSize);

/** Error codes of RFC 9113, section 7. */
export const Http2Error = { CANCEL: 8, ENHANCE_YOUR_CALM: 11 } as const;

export class Http2Connection {
  private readonly session: number;
  /** Bytes that the full socket did not take. */
  private unsent: Uint8Array | undefined;
  /** Settles when the socket has taken them. */
  private blocked: Promise<void> | undefined;
  /** A duplicate of `fd` while that is full: the event loop waits for one direction of a descriptor only. */
  private out = -1;
  private open = true;
  private isScheduled = false;
  /** The peer has sent its SETTINGS. */
  private isHttp2 = false;

  /**
   * @param fd a connected socket, closed when the connection ends
   * @throws RuntError ERR_UNSUPPORTED in a build without HTTP/2, ERR_IO
   */
  constructor(
    private readonly fd: number,
    private readonly events: StreamEvents,
  ) {
    this.session = native.http2Open();
    if (this.session < 0) throw openError(this.session);
  }

  /** Reads until one side ends the connection. A client that sends no HTTP/2 is disconnected. Never throws. */
  async serve(): Promise<void> {
    const deadline = now() + http2PrefaceTime;
    try {
      this.send();
      while (this.open) {
        // Read no more of a client that does not read: its frames would queue answers.
        if (this.blocked) {
          await this.blocked;
          continue;
        }
        if (!(await readable(this.fd, this.isHttp2 ? -1 : Math.max(0, deadline - now()))) || !this.open) break;
        const n = native.read(this.fd, input);
        if (n === -E.EAGAIN) continue;
        if (n <= 0 || native.http2Receive(this.session, input.subarray(0, n)) < 0) break;
        this.takeEvents();
        this.send();
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.unsent = undefined;
    native.http2Close(this.session);
    for (const fd of [this.fd, this.out]) {
      if (fd < 0) continue;
      forget(fd);
      native.close(fd);
    }
  }

  /** Sends the headers of an answer. @param end it has no body */
  respond(stream: number, headers: readonly (string | number)[], end: boolean): void {
    this.queued(native.http2Respond(this.session, stream, nulList(headers), end ? 1 : 0));
  }

  /**
   * Sends bytes of a body.
   * @param end nothing follows, not even trailers
   * @returns how many bytes of the stream wait to be sent, -errno if it is closed
   */
  data(stream: number, bytes: Uint8Array, end = false): number {
    return this.queued(native.http2Data(this.session, stream, bytes, end ? 1 : 0));
  }

  /** Ends a body. */
  trailers(stream: number, headers: readonly (string | number)[]): void {
    this.queued(native.http2Trailers(this.session, stream, nulList(headers)));
  }

  /** Allows the peer to send as many bytes again. */
  consume(stream: number, bytes: number): void {
    this.queued(native.http2Consume(this.session, stream, bytes));
  }

  reset(stream: number, code: number): void {
    this.queued(native.http2Reset(this.session, stream, code));
  }

  /** Accepts no more streams, and ends the connection when the last one is closed. */
  goAway(): void {
    this.queued(native.http2GoAway(this.session));
  }

  /** Has the queue sent after the current work. */
  private queued(result: number): number {
    if (!this.isScheduled) {
      this.isScheduled = true;
      void Promise.resolve().then(() => {
        this.isScheduled = false;
        this.send();
      });
    }
    return result;
  }

  private takeEvents(): void {
    while (this.open) {
      const n = native.http2Event(this.session, event);
      if (n <= 0) return;
      const view = new DataView(event.buffer);
      const stream = view.getInt32(8, true);
      const bytes = event.subarray(Protocol.HTTP2_HEAD, n);
      switch (HTTP2_EVENT[view.getInt32(0, true)]) {
        case 'settings':
          this.isHttp2 = true;
          break;
        case 'headers':
          this.events.headers(stream, bytes.length > 0 ? host.decode(bytes, bytes.length - 1).split('\0') : []);
          break;
        case 'data':
          this.events.data(stream, bytes);
          break;
        case 'end':
          this.events.end(stream);
          break;
        case 'drained':
          this.events.drained(stream);
          break;
        case 'closed':
          this.events.closed(stream);
          break;
      }
    }
  }

  /** Sends until nothing is left or the socket is full. */
  private send(): void {
    while (this.open && !this.unsent) {
      const n = native.http2Send(this.session, output);
      this.takeEvents();
      if (n === 0) return;
      if (n < 0) this.close();
      else this.write(output.subarray(0, n));
    }
  }

  private write(bytes: Uint8Array): void {
    if (!this.open) return;
    const n = native.send(this.fd, bytes);
    if (n === bytes.length) return;
    if (n < 0 && n !== -E.EAGAIN) {
      this.close();
      return;
    }
    this.unsent = bytes.slice(Math.max(0, n));
    this.blocked = this.writeRest().finally(() => {
      this.blocked = undefined;
      this.send();
    });
  }

  private async writeRest(): Promise<void> {
    if (this.out < 0) this.out = native.duplicate(this.fd);
    while (this.open && this.unsent) {
      const n = (await writable(this.out)) && this.open && this.unsent ? native.send(this.out, this.unsent) : -E.EPIPE;
      if (n === this.unsent?.length) this.unsent = undefined;
      else if (n > 0) this.unsent = this.unsent?.subarray(n);
      else if (n !== -E.EAGAIN) this.close();
    }
  }
}

/** Whether this build has HTTP/2. @throws RuntError ERR_UNSUPPORTED, ERR_IO */
export function checkHttp2(): void {
  const session = native.http2Open();
  if (session < 0) throw openError(session);
  native.http2Close(session);
}

const openError = (result: number): RuntError =>
  result === -E.ENOSYS
    ? new RuntError({
        code: 'ERR_UNSUPPORTED',
        message: 'this build of runt has no gRPC, because it was built without nghttp2',
        hint: 'install libnghttp2-dev and build runt again, or run "npx runt-oci serve …", with Node.js 20 or newer',
      })
    : new RuntError({ code: 'ERR_IO', message: 'begin an HTTP/2 connection', errno: -result });
