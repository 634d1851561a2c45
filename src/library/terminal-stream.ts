/** The terminal of a process as a stream. Node.js only. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { ReadStream } from 'node:tty';
import { check, RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, O_PATH } from '../sys/linux.js';
import { callError } from './call-checks.js';
import { type Observer, OutputFeed } from './process-streams.js';

/** The largest window in characters: struct winsize of ioctl_tty(2). */
const largestWindow = 65_535;

/** Both directions of a terminal: what is written is its input, what is read the process's output. */
export class TerminalStream extends Duplex {
  readonly #master: number;
  readonly #tty: ReadStream;
  readonly #feed: OutputFeed;

  /** @param master the descriptor, which the stream owns */
  constructor(master: number) {
    super();
    this.#master = master;
    this.#tty = new ReadStream(master);
    this.#feed = new OutputFeed(this.#tty, this);
    // EIO: the last process has closed the terminal (ioctl_tty(2)).
    this.#tty.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EIO') this.push(null);
      else this.destroy(error);
    });
  }

  /** See OutputFeed.observe. */
  observe(observer: Observer): () => void {
    return this.#feed.observe(observer);
  }

  /** See OutputFeed.drain. */
  drain(): void {
    this.#feed.drain();
  }

  /**
   * Sets the window size; the kernel sends SIGWINCH to the process. Does nothing once the terminal is closed.
   * @throws RuntError ERR_USAGE, ERR_IO
   */
  resize(columns: number, rows: number): void {
    for (const [name, value] of Object.entries({ columns, rows })) {
      const fits = Number.isInteger(value) && value >= 0 && value <= largestWindow;
      if (!fits) throw callError(`resize: ${name} must be an integer from 0 to ${largestWindow}`);
    }
    // Another file may have the number of the descriptor by now.
    if (this.#tty.destroyed) return;
    const r = native.setWindowSize(this.#master, columns, rows);
    check(r, { code: 'ERR_IO', message: `set the window size to ${columns} × ${rows}`, syscall: 'ioctl' });
  }

  override _read(): void {
    this.#feed.read();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tty.write(chunk, (error) => done(error));
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#tty.destroy();
    done(error);
  }
}

/** A console socket of ours, which receives the master of one terminal. */
export class ConsoleSocket {
  readonly #directory = mkdtempSync(join(tmpdir(), 'runt-console-'));
  readonly path = join(this.#directory, 'socket');
  readonly #listener: number;

  /** @throws RuntError ERR_TERMINAL */
  constructor() {
    const facts = { code: 'ERR_TERMINAL', message: `listen on ${this.path}`, path: this.path };
    const directory = check(native.openDirectory(AT_FDCWD, this.#directory, O_PATH), facts);
    const listener = native.unixListen(directory, 'socket', 1);
    native.close(directory);
    this.#listener = check(listener, { ...facts, syscall: 'bind' });
  }

  /** The terminal, which `create` or `exec` has sent by now. @throws RuntError ERR_TERMINAL */
  receive(): TerminalStream {
    const facts = { code: 'ERR_TERMINAL', message: 'receive the terminal' };
    const connection = check(native.accept(this.#listener), { ...facts, syscall: 'accept4' });
    const fds = new Uint8Array(4);
    const n = native.receiveFds(connection, new Uint8Array(4096), fds);
    native.close(connection);
    if (n <= 0) throw new RuntError({ ...facts, ...(n < 0 && { errno: -n }), syscall: 'recvmsg' });
    return new TerminalStream(new DataView(fds.buffer).getInt32(0, true));
  }

  close(): void {
    native.close(this.#listener);
    rmSync(this.#directory, { recursive: true });
  }
}
