/** A call over ttrpc with a stream of messages in both directions, on the server's side. */
import type { Stream } from './rpc.js';
import { Code, cancelledError, StatusError } from './status-code.js';

/** Bytes of messages that wait for the procedure. ttrpc has no windows of its own: with more, the call fails. */
const maxWaiting = 256 << 10;

export class TtrpcStream implements Stream {
  readonly cancelled: Promise<void>;
  private cancelNow!: () => void;
  private error: StatusError | undefined;
  private readonly messages: Uint8Array[] = [];
  private waiting = 0;
  /** The client sends no more. */
  private isWhole = false;
  private wake: (() => void) | undefined;

  /** @param sendFrame resolves when there is room for another message */
  constructor(
    readonly header: (name: string) => string | undefined,
    private readonly sendFrame: (message: Uint8Array) => Promise<void>,
  ) {
    this.cancelled = new Promise((settle) => {
      this.cancelNow = settle;
    });
  }

  /** A message has arrived. */
  push(message: Uint8Array): void {
    if (this.error || this.isWhole) return;
    this.waiting += message.length;
    if (this.waiting <= maxWaiting) {
      this.messages.push(message);
      this.wake?.();
    } else this.cancel(new StatusError(Code.RESOURCE_EXHAUSTED, 'the client sends more than is read'));
  }

  /** The client has sent its last message. */
  end(): void {
    this.isWhole = true;
    this.wake?.();
  }

  /** The connection has ended, or the call must. */
  cancel(error = cancelledError()): void {
    this.error ??= error;
    this.messages.length = 0;
    this.cancelNow();
    this.wake?.();
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.error) throw this.error;
      const message = this.messages.shift();
      if (message) {
        this.waiting -= message.length;
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
