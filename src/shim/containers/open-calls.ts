/** The streaming calls of a service, which end with the server. */
import { withTimeout } from '../../sys/waiting/loop.js';
import type { Stream } from '../transport/rpc.js';
import { Code, cancelledError, StatusError } from '../transport/status-code.js';
import type { Outcome } from './outcome.js';

/** A call whose handler waits for something other than its client's messages. */
export class OpenCall {
  private error: StatusError | undefined;
  private fail: ((error: StatusError) => void) | undefined;

  constructor(readonly stream: Stream) {
    // Once for each call, not for each wait: a promise keeps the memory of all that wait for it.
    void stream.cancelled.then(() => this.end(cancelledError()));
  }

  get hasEnded(): boolean {
    return this.error !== undefined;
  }

  /** Ends the current wait, and later ones. */
  end(error: StatusError): void {
    this.error ??= error;
    this.fail?.(this.error);
  }

  /**
   * Waits for what `begin` settles. Calls the function that `begin` returns when the wait is over.
   * @throws StatusError CANCELLED if the client ends the call first, UNAVAILABLE if the server does
   */
  async until<T>(begin: (settle: (value: T) => void, fail: (error: unknown) => void) => () => void): Promise<T> {
    if (this.error) throw this.error;
    let forget = (): void => {};
    try {
      return await new Promise<T>((settle, fail) => {
        this.fail = fail;
        forget = begin(settle, fail);
      });
    } finally {
      this.fail = undefined;
      forget();
    }
  }

  /** Waits for an outcome. @throws as `until`, or the error of the outcome */
  wait<T>(outcome: Outcome<T>): Promise<T> {
    return this.until((settle, fail) => outcome.listen(settle, fail));
  }
}

export class OpenCalls {
  private readonly calls = new Map<OpenCall, Promise<void>>();
  private closed = false;

  /** A handler for streaming calls: `serve`, until it resolves or the server ends. */
  handler(serve: (call: OpenCall) => Promise<void>): (stream: Stream) => Promise<void> {
    return async (stream) => {
      if (this.closed) throw unavailable();
      const call = new OpenCall(stream);
      const over = serve(call);
      this.calls.set(call, over);
      try {
        await over;
      } finally {
        this.calls.delete(call);
      }
    };
  }

  /** Ends all calls, also those that begin later; resolves when their handlers have ended, or after `ms`. */
  async close(ms: number): Promise<void> {
    this.closed = true;
    for (const call of this.calls.keys()) call.end(unavailable());
    await withTimeout(Promise.allSettled(this.calls.values()), ms);
  }

  get size(): number {
    return this.calls.size;
  }
}

const unavailable = (): StatusError => new StatusError(Code.UNAVAILABLE, 'the server ends');
