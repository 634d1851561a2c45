/** A streaming call without a transport. */
import type { Stream } from '../../../src/shim/transport/rpc.js';
import { Code, StatusError, statusOf } from '../../../src/shim/transport/status-code.js';

interface Decoder<O> {
  decode(bytes: Uint8Array): O;
}

/** The client's end of a call. Messages are those of `output`, without their prototype. */
export class FakeCall<O extends object> implements Stream {
  readonly sent: object[] = [];
  /** `OK`, or the code and the sentence of the failure; undefined while the call runs. */
  end: string | undefined;
  /** Whether the client reads; else `send` waits. */
  isReading = true;
  private readonly inbox: (Uint8Array | undefined)[] = [];
  private readonly waits = new Set<() => void>();
  private isCancelled = false;
  private settleCancelled!: () => void;
  readonly cancelled = new Promise<void>((settle) => {
    this.settleCancelled = settle;
  });

  constructor(private readonly output: Decoder<O>) {}

  /** Calls a procedure with these messages. */
  begin(procedure: (stream: Stream) => Promise<void>, ...messages: readonly Uint8Array[]): this {
    this.inbox.push(...messages);
    procedure(this).then(
      () => {
        this.end = 'OK';
      },
      (error: unknown) => {
        const { code, message } = statusOf(error);
        this.end = `${code} ${message}`;
      },
    );
    return this;
  }

  say(message: Uint8Array | undefined): void {
    this.inbox.push(message);
    this.wake();
  }

  read(): void {
    this.isReading = true;
    this.wake();
  }

  cancel(): void {
    this.isCancelled = true;
    this.settleCancelled();
    this.wake();
  }

  header(): undefined {
    return undefined;
  }

  async receive(): Promise<Uint8Array | undefined> {
    await this.until(() => this.inbox.length > 0);
    return this.inbox.shift();
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.isCancelled) throw new StatusError(Code.CANCELLED, 'the call is cancelled');
    this.sent.push(plain(this.output.decode(message)));
    await this.until(() => this.isReading);
  }

  private async until(isReady: () => boolean): Promise<void> {
    while (!isReady()) {
      if (this.isCancelled) throw new StatusError(Code.CANCELLED, 'the call is cancelled');
      await new Promise<void>((settle) => this.waits.add(settle));
    }
  }

  private wake(): void {
    for (const settle of this.waits) settle();
    this.waits.clear();
  }
}

/** Bytes as text, messages as objects; without times. */
function plain(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (key, v) =>
      key === 'exitedAt' || key === 'createdAt'
        ? undefined
        : v instanceof Uint8Array || v?.type === 'Buffer'
          ? new TextDecoder().decode(v instanceof Uint8Array ? v : new Uint8Array(v.data))
          : v,
    ),
  ) as object;
}
