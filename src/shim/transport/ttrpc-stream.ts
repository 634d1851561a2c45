/** A call over ttrpc with a stream of messages in both directions, on the server's side. */
import type { Clients, Receiver } from './client-limits.js';
import type { Stream } from './rpc.js';
import { Code, cancelledError, StatusError } from './status-code.js';

/** Bytes of messages that wait for the procedure. ttrpc has no windows of its own: with more, the call fails. */
const maxWaiting = 256 << 10;
/** What a message takes besides its bytes, of which it may have none. */
const messageOverhead = 64;

export class TtrpcStream implements Stream, Receiver {
  readonly cancelled: Promise<void>;
  private cancelNow!: () => void;
  private error: StatusError | undefined;
  private readonly messages: Uint8Array[] = [];
  /** Bytes that the waiting messages take. */
  bufferSize = 0;
  /** The client sends no more. */
  private isWhole = false;
  private wake: (() => void) | undefined;

  /** @param sendFrame resolves when there is room for another message @param clients all clients of the server */
  constructor(
    readonly header: (name: string) => string | undefined,
    private readonly sendFrame: (message: Uint8Array) => Promise<void>,
    private readonly clients?: Clients,
  ) {
    this.cancelled = new Promise((settle) => {
      this.cancelNow = settle;
    });
  }

  /** A message has arrived. */
  push(message: Uint8Array): void {
    if (this.error || this.isWhole) return;
    const size = this.bufferSize + message.length + messageOverhead;
    if (size > maxWaiting) this.refuse('the client sends more than is read');
    else if (this.clients?.reserve(this, size) !== false) {
      this.bufferSize = size;
      this.messages.push(message);
      this.wake?.();
    }
  }

  refuse(why: string): void {
    this.cancel(new StatusError(Code.RESOURCE_EXHAUSTED, why));
  }

  /** The client has sent its last message. */
  end(): void {
    this.isWhole = true;
    this.wake?.();
  }

  /** The connection has ended, or the call must. */
  cancel(error = cancelledError()): void {
    this.error ??= error;
    this.drop();
    this.cancelNow();
    this.wake?.();
  }

  /** Forgets the waiting messages. */
  drop(): void {
    this.messages.length = 0;
    this.bufferSize = 0;
    this.clients?.release(this);
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.error) throw this.error;
      const message = this.messages.shift();
      if (message) {
        this.bufferSize -= message.length + messageOverhead;
        if (this.bufferSize === 0) this.clients?.release(this);
        return message;
      }
      if (this.isWhole) return undefined;
      await new Promise<void>((settle) => {
        this.wake = settle;
      });
    }
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.error) throw this.error;
    await this.sendFrame(message);
  }
}
