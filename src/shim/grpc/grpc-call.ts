/** One gRPC call: an HTTP/2 stream with messages in both directions, and the procedure that answers them. */
import { withTimeout } from '../../sys/waiting/loop.js';
import type { Clients, Receiver } from '../transport/client-limits.js';
import type { Procedure, Stream, Unary, UnaryCall } from '../transport/rpc.js';
import { type CallStatus, Code, cancelledError, StatusError } from '../transport/status-code.js';
import { failureOf } from './grpc-failure.js';
import { answerHeaders, statusHeaders } from './grpc-headers.js';
import { HEADER, Inbox, MAX_MESSAGE, uncounted } from './grpc-inbox.js';
import { type Http2Connection, Http2Error } from './http2-connection.js';

/** With more unsent bytes than this, a stream's next message has to wait. */
const unsentLimit = 16 << 10;

interface Wait {
  readonly settle: () => void;
  readonly fail: (error: StatusError) => void;
}

export class Call implements Receiver, Stream, UnaryCall {
  private readonly inbox = new Inbox();
  /** Bytes that the client may send again when the procedure has read some. */
  private withheld = 0;
  /** Bytes of messages that are not sent. */
  private unsent = 0;
  /** The client has sent its last message. */
  private isWhole = false;
  private hasHeaders = false;
  private isAnswered = false;
  private isClosed = false;
  /** The procedure has been called and has not settled. */
  private isRunning = false;
  private isCancelled = false;
  private cancellation: Promise<void> | undefined;
  onCancel: (() => void) | undefined;
  private receiving: Wait | undefined;
  private sending: Wait | undefined;
  /** Ends the wait for the deadline. */
  private endDeadline: (() => void) | undefined;

  /** @param timeout ms until the client's deadline; -1 for none */
  constructor(
    private readonly connection: Http2Connection,
    private readonly id: number,
    private readonly procedure: Procedure,
    private readonly clients: Clients,
    timeout: number,
    private readonly metadata: ReadonlyMap<string, string> | undefined,
  ) {
    if (timeout >= 0) void this.awaitDeadline(timeout);
    if ('streaming' in procedure) this.run(procedure.streaming(this), () => {});
  }

  // ── events of the stream ──

  /** Handles bytes of the request; they are overwritten afterwards. */
  data(bytes: Uint8Array): void {
    const isUnary = 'unary' in this.procedure;
    // One that waits for its message, or whose procedure waits for one, takes any number of bytes.
    if (isUnary || this.receiving || this.isAnswered) this.connection.consume(this.id, bytes.length);
    else this.withheld += bytes.length;
    if (this.isAnswered) return;
    try {
      this.inbox.append(bytes, (size) => this.clients.reserve(this, size + this.unsent));
      if (isUnary && this.inbox.hasMore) throw new StatusError(Code.INTERNAL, 'a unary call has one message');
    } catch (error) {
      this.fail(error);
    }
    this.wake('receiving');
  }

  end(): void {
    this.isWhole = true;
    if (this.isAnswered) return;
    if ('unary' in this.procedure) this.answer(this.procedure.unary);
    else this.wake('receiving');
  }

  drained(): void {
    this.unsent = 0;
    this.releaseUnused();
    this.wake('sending');
  }

  /** The stream or its connection has ended. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.endDeadline?.();
    this.inbox.clear();
    this.unsent = 0;
    this.clients.release(this);
    if (this.isRunning) this.stop();
    else this.clients.endCall();
  }

  /** Whether the message of a unary call is still arriving. */
  get isIncomplete(): boolean {
    return !this.isWhole && !this.isAnswered && !this.isClosed;
  }

  /** Ends a call whose message does not arrive. */
  endRequest(): void {
    if (this.isIncomplete) this.fail(new StatusError(Code.DEADLINE_EXCEEDED, 'the request did not arrive in time'));
  }

  // ── Receiver ──

  get bufferSize(): number {
    return (this.inbox.size > uncounted ? this.inbox.size : 0) + this.unsent;
  }

  refuse(why: string): void {
    if (this.unsent > 0) {
      // A status would have to wait for the messages.
      this.isAnswered = true;
      this.unsent = 0;
      this.connection.reset(this.id, Http2Error.ENHANCE_YOUR_CALM);
    } else this.fail(new StatusError(Code.RESOURCE_EXHAUSTED, why));
    this.inbox.clear();
    this.clients.release(this);
    this.stop();
  }

  // ── Stream ──

  header(name: string): string | undefined {
    return this.metadata?.get(name);
  }

  get cancelled(): Promise<void> {
    this.cancellation ??= new Promise((settle) => {
      if (this.isCancelled) settle();
      this.onCancel = settle;
    });
    return this.cancellation;
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.checkOpen();
      const message = this.inbox.take();
      if (message) {
        this.releaseUnused();
        return message;
      }
      if (this.isWhole) {
        if (this.inbox.isEmpty) return undefined;
        throw new StatusError(Code.INTERNAL, 'the last message is not complete');
      }
      this.connection.consume(this.id, this.withheld);
      this.withheld = 0;
      await new Promise<void>((settle, fail) => {
        this.receiving = { settle, fail };
      });
    }
  }

  async send(message: Uint8Array): Promise<void> {
    this.checkOpen();
    this.sendMessage(message);
    if (this.unsent <= unsentLimit) return;
    await new Promise<void>((settle, fail) => {
      this.sending = { settle, fail };
    });
  }

  // ── the answer ──

  private answer(unary: Unary): void {
    let message: Uint8Array | undefined;
    try {
      message = this.inbox.take();
      if (!message) throw new StatusError(Code.INTERNAL, 'the message is not complete');
    } catch (error) {
      this.fail(error);
      return;
    }
    this.releaseUnused();
    // Keep no reference to the message meanwhile.
    this.run(unary(message, this), (response) => this.sendMessage(response));
  }

  /** Answers when `work` is done. No async function: the frame of each one would keep 1 KB during a long Wait. */
  private run<T>(work: Promise<T>, onSuccess: (result: T) => void): void {
    this.isRunning = true;
    const settle = (isDone: boolean, result: unknown): void => {
      try {
        if (!isDone) throw result;
        if (!this.isAnswered && !this.isClosed) onSuccess(result as T);
        this.finish({ code: Code.OK, message: '' });
      } catch (error) {
        this.fail(error);
      }
      this.isRunning = false;
      if (this.isClosed) this.clients.endCall();
    };
    void work.then(
      (result) => settle(true, result),
      (error) => settle(false, error),
    );
  }

  /** @throws StatusError RESOURCE_EXHAUSTED for a message that is too long, or if clients do not read their answers */
  private sendMessage(message: Uint8Array): void {
    if (message.length > MAX_MESSAGE) {
      throw new StatusError(Code.RESOURCE_EXHAUSTED, `the answer is too long: ${message.length} bytes`);
    }
    const size = this.unsent + HEADER + message.length;
    if (size > uncounted && !this.clients.reserve(this, this.inbox.size + size)) throw cancelledError();
    if (!this.hasHeaders) this.connection.respond(this.id, answerHeaders, false);
    this.hasHeaders = true;
    const header = new Uint8Array(HEADER);
    new DataView(header.buffer).setUint32(1, message.length);
    this.connection.data(this.id, header);
    this.unsent = Math.max(0, this.connection.data(this.id, message));
  }

  private fail(error: unknown): void {
    this.finish(failureOf(error));
  }

  /** Ends the answer. */
  private finish(status: CallStatus): void {
    if (this.isAnswered || this.isClosed) return;
    this.isAnswered = true;
    this.inbox.clear();
    this.releaseUnused();
    const headers = statusHeaders(status);
    if (this.hasHeaders) this.connection.trailers(this.id, headers);
    else if (status.code !== Code.OK) this.connection.respond(this.id, [...answerHeaders, ...headers], true);
    else {
      // A stream without any message.
      this.connection.respond(this.id, answerHeaders, false);
      this.connection.trailers(this.id, headers);
    }
  }

  private async awaitDeadline(timeout: number): Promise<void> {
    const end = new Promise<true>((settle) => {
      this.endDeadline = () => settle(true);
    });
    if (await withTimeout(end, timeout)) return;
    this.fail(new StatusError(Code.DEADLINE_EXCEEDED, 'the deadline of the call has passed'));
    this.stop();
  }

  /** Tells the procedure that its call has ended. */
  private stop(): void {
    this.isCancelled = true;
    this.onCancel?.();
    for (const wait of [this.receiving, this.sending]) wait?.fail(cancelledError());
    this.receiving = undefined;
    this.sending = undefined;
  }

  private checkOpen(): void {
    if (this.isCancelled || this.isClosed || this.isAnswered) throw cancelledError();
  }

  private wake(which: 'receiving' | 'sending'): void {
    this[which]?.settle();
    this[which] = undefined;
  }

  private releaseUnused(): void {
    if (this.bufferSize === 0) this.clients.release(this);
  }
}
