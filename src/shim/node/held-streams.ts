/**
 * Standard streams that containerd moves by its streaming service (`io_type = "streaming"`). The keeper holds the other
 * ends of their pipes, so a stream outlives the server, and containerd may connect again.
 */
import { E } from '../../sys/errno.js';
import { native } from '../../sys/host.js';
import { forget, readable, withTimeout } from '../../sys/waiting/loop.js';
import { streamClientTime } from '../../sys/waiting/time-limits.js';
import { writeBytes } from '../streams/byte-copy.js';
import type { Stream, Streaming } from '../transport/rpc.js';
import { Code, cancelledError, StatusError } from '../transport/status-code.js';
import { dataMessage, dataOf, streamAnswer, streamIdOf, updateOf, windowMessage } from './stream-protos.js';

/** One read of all streams: it is encoded before the next one. */
const buffer = new Uint8Array(16 << 10);
/** Bytes that a client may send before they are written to the process. */
const inputWindow = 64 << 10;
/** The largest sum of a client's window updates that is not an error. */
const maxWindow = 2 ** 31 - 1;
/** The longest id: clients may wait for thousands. */
const maxId = 1024;
/** Ids of ended streams to remember: containerd may connect to one again when it was restarted. */
const remembered = 1024;

/** A stream, to which clients connect one after another. */
interface HeldStream {
  /** Resolves when the descriptor is closed. */
  readonly ended: Promise<void>;
  /** Serves a client, in place of an earlier one, until the stream or the client ends. @throws StatusError */
  attach(stream: Stream): Promise<void>;
  /** The process has closed its end: nothing keeps the stream if no client takes the rest. */
  release(): void;
}

export class HeldStreams {
  private readonly held = new Map<string, HeldStream>();
  /** Clients of streams that no process has yet. */
  private readonly waiting = new Map<string, (stream: HeldStream | undefined) => void>();
  private readonly over = new Set<string>();

  get size(): number {
    return this.held.size;
  }

  /** Whether a name is a stream's: `>` and the id for an output, `<` for an input. */
  static has(name: string): boolean {
    return name.startsWith('>') || name.startsWith('<');
  }

  /** Takes over the read end of an output's pipe, or the write end of an input's, which does not block. */
  hold(name: string, fd: number): void {
    const id = name.slice(1);
    this.over.delete(id);
    const stream = name.startsWith('>') ? new OutputStream(fd) : new InputStream(fd);
    this.held.get(id)?.release();
    this.held.set(id, stream);
    void stream.ended.then(() => {
      if (this.held.get(id) !== stream) return;
      this.held.delete(id);
      this.over.add(id);
      const [oldest = ''] = this.over;
      if (this.over.size > remembered) this.over.delete(oldest);
    });
    this.waiting.get(id)?.(stream);
  }

  /** Its process has closed its end. */
  drop(name: string): void {
    this.held.get(name.slice(1))?.release();
  }

  /** The call Stream of a client. */
  readonly serve: Streaming = async (client) => {
    const first = await client.receive();
    if (!first) throw new StatusError(Code.INVALID_ARGUMENT, 'the stream has no StreamInit');
    const id = streamIdOf(first);
    if (id === '') throw new StatusError(Code.INVALID_ARGUMENT, 'the StreamInit has no id');
    if (id.length > maxId)
      throw new StatusError(Code.INVALID_ARGUMENT, `the id in the StreamInit has more than ${maxId} characters`);
    await client.send(streamAnswer());
    // One that has ended has no more data.
    if (this.over.has(id)) return;
    await (this.held.get(id) ?? (await this.next(id, client))).attach(client);
  };

  /** The stream when its process is made: containerd connects before that. @throws StatusError CANCELLED */
  private next(id: string, client: Stream): Promise<HeldStream> {
    this.waiting.get(id)?.(undefined);
    return new Promise((settle, fail) => {
      const resume = (stream?: HeldStream): void => {
        if (this.waiting.get(id) === resume) this.waiting.delete(id);
        if (stream) settle(stream);
        else fail(cancelledError());
      };
      this.waiting.set(id, resume);
      void client.cancelled.then(() => resume());
    });
  }
}

/** A client of a stream, until its call ends. */
class Client {
  /** Settles at the end of the call. */
  readonly over: Promise<void>;
  settle!: () => void;
  fail!: (error: unknown) => void;

  constructor(readonly stream: Stream) {
    this.over = new Promise((settle, fail) => {
      this.settle = settle;
      this.fail = fail;
    });
    void stream.cancelled.then(() => this.fail(cancelledError()));
  }
}

const replacedError = (): StatusError => new StatusError(Code.CANCELLED, 'another client has this stream now');

/** Output: read from the process's pipe as far as the client's window allows. */
class OutputStream implements HeldStream {
  readonly ended: Promise<void>;
  private client: Client | undefined;
  /** Bytes that the client takes. */
  private window = 0;
  private wake: (() => void) | undefined;
  private isClosed = false;

  constructor(private readonly fd: number) {
    this.ended = this.pump().finally(() => {
      this.isClosed = true;
      forget(fd);
      native.close(fd);
      this.client?.settle();
    });
  }

  async attach(stream: Stream): Promise<void> {
    if (this.isClosed) return;
    const client = new Client(stream);
    this.client?.fail(replacedError());
    this.client = client;
    this.window = 0;
    void this.readWindows(client).then(client.settle, client.fail);
    try {
      await client.over;
    } finally {
      if (this.client === client) this.client = undefined;
    }
  }

  release(): void {
    void withTimeout(this.ended, streamClientTime).then(() => {
      if (this.isClosed) return;
      this.isClosed = true;
      forget(this.fd);
      this.wake?.();
    });
  }

  /** Reads window updates until the client closes its direction: it reads no more then. */
  private async readWindows(client: Client): Promise<void> {
    for (let bytes = await client.stream.receive(); bytes; bytes = await client.stream.receive()) {
      if (this.client !== client) return;
      this.window += Math.max(0, updateOf(bytes));
      if (this.window > maxWindow) throw new StatusError(Code.INVALID_ARGUMENT, 'the window is too large');
      this.wake?.();
    }
  }

  /** Sends until the pipe has no writer and is empty. */
  private async pump(): Promise<void> {
    while (!this.isClosed) {
      const { client } = this;
      if (!client || this.window === 0) {
        await this.woken();
        continue;
      }
      await readable(this.fd);
      if (this.isClosed || this.client !== client) continue;
      const n = native.read(this.fd, buffer.subarray(0, Math.min(buffer.length, this.window)));
      if (n === -E.EAGAIN) continue;
      if (n <= 0) return;
      this.window -= n;
      await this.send(client, dataMessage(buffer.subarray(0, n)));
    }
  }

  /** Waits until there is room for more, or another client replaces this one, which may never read. */
  private async send(client: Client, message: Uint8Array): Promise<void> {
    let sending = true;
    const sent = (): void => {
      sending = false;
      this.wake?.();
    };
    // A client that has left has failed by itself; what it did not receive is lost, as with a fifo.
    void client.stream.send(message).then(sent, sent);
    while (sending && !this.isClosed && (this.client === client || !this.client)) await this.woken();
  }

  private woken(): Promise<void> {
    return new Promise((settle) => {
      this.wake = settle;
    });
  }
}

/** Input: written to the process's pipe; the client's window grows by what was written. */
class InputStream implements HeldStream {
  readonly ended: Promise<void>;
  private close!: () => void;
  private client: Client | undefined;
  private isClosed = false;

  constructor(private readonly fd: number) {
    this.ended = new Promise((settle) => {
      this.close = () => {
        if (this.isClosed) return;
        this.isClosed = true;
        forget(fd);
        native.close(fd);
        this.client?.settle();
        settle();
      };
    });
  }

  async attach(stream: Stream): Promise<void> {
    if (this.isClosed) return;
    const client = new Client(stream);
    this.client?.fail(replacedError());
    this.client = client;
    void this.copy(client).then(client.settle, client.fail);
    try {
      await client.over;
      if (this.client === client) this.close();
    } finally {
      if (this.client === client) {
        this.client = undefined;
        void this.endWithoutClient();
      }
    }
  }

  /** The process has ended: what its input still gets is of no use. */
  release(): void {
    this.close();
  }

  /** A client that was killed may connect again; if none does, the process reads end-of-file, as from a fifo. */
  private async endWithoutClient(): Promise<void> {
    await withTimeout(this.ended, streamClientTime);
    if (!this.client) this.close();
  }

  /** Writes until the client closes its direction, which is end-of-file, or the process its input. */
  private async copy(client: Client): Promise<void> {
    await client.stream.send(windowMessage(inputWindow));
    for (let bytes = await client.stream.receive(); bytes; bytes = await client.stream.receive()) {
      const data = dataOf(bytes);
      // Until the process has closed its input, or another client has the stream.
      if (!(await writeBytes(data, () => (this.isClosed || this.client !== client ? -1 : this.fd)))) return;
      if (data.length > 0) await client.stream.send(windowMessage(data.length));
    }
  }
}
