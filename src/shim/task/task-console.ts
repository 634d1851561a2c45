/** The terminal of a container's process: copies between its master and the engine's fifos. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_RDWR, O_WRONLY } from '../../sys/linux.js';
import { forget, now, readable } from '../../sys/waiting/loop.js';
import { consoleTime } from '../../sys/waiting/time-limits.js';
import { copy } from '../streams/byte-copy.js';
import type { KeptStreams } from '../streams/kept-streams.js';
import type { LoggedContainer, Logger } from '../streams/log-program.js';
import { awaitDrained, isLogger, openSink, openSource, type Sink, type Streams } from '../streams/stdio-streams.js';

/** A socket that receives the master of a terminal, as for `--console-socket`. */
export class ConsoleSocket {
  private readonly listener: number;

  /** Listens in `directory`, which must be ours. @throws RuntError ERR_TERMINAL */
  constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {
    const dir = native.openAt(AT_FDCWD, directory, 0, 0);
    const listener = dir < 0 ? dir : native.unixListen(dir, name, 1);
    if (dir >= 0) native.close(dir);
    this.listener = check(listener, {
      code: 'ERR_TERMINAL',
      message: `listen for a terminal at ${this.path}`,
      path: this.path,
    });
  }

  get path(): string {
    return `${this.directory}/${this.name}`;
  }

  /** Receives the master. @throws RuntError ERR_TERMINAL */
  async master(): Promise<number> {
    const connection = await this.accept();
    if (connection < 0)
      throw new RuntError({
        code: 'ERR_TERMINAL',
        message: 'receive the terminal of the process: runt-init sent none',
      });
    const fds = new Uint8Array(4);
    await readable(connection, consoleTime);
    const received = native.receiveFds(connection, new Uint8Array(256), fds);
    native.close(connection);
    // `fds` is not filled by a call that fails: 0 would be taken for the terminal.
    const fd = received < 0 ? -1 : new DataView(fds.buffer).getInt32(0, true);
    if (fd < 0)
      throw new RuntError({
        code: 'ERR_TERMINAL',
        message: 'receive the terminal of the process: runt-init sent none',
      });
    check(native.terminalMaster(fd), { code: 'ERR_TERMINAL', message: 'prepare the terminal' });
    return fd;
  }

  /** Accepts the first connection of our user or root; -errno after the deadline. */
  private async accept(): Promise<number> {
    for (const end = now() + consoleTime; ; ) {
      const isConnected = await readable(this.listener, Math.max(0, end - now()));
      const connection = isConnected ? native.accept(this.listener) : -E.ETIMEDOUT;
      if (connection !== -E.EACCES) return connection;
    }
  }

  close(): void {
    forget(this.listener);
    native.close(this.listener);
    native.unlinkAt(AT_FDCWD, this.path, 0);
  }
}

/** A terminal's master, with a copy loop for each direction. */
export class Console {
  private readonly fds: number[];
  private readonly output: Promise<void>;
  private source = -1;

  private constructor(
    private readonly fd: number,
    sink: Sink | undefined,
    private readonly logger: Logger | undefined,
    /** Holds our ends, for the next server. */
    private readonly kept: KeptStreams | undefined,
    /** The input; undefined for none. */
    from: number | undefined,
  ) {
    // A second descriptor: the event loop waits for one direction of a descriptor only.
    const input = native.nonBlocking(fd, O_RDWR);
    const out = sink?.fd ?? -1;
    this.fds = [fd, input, out].filter((x) => x >= 0);
    this.output = copy(fd, out).then(async () => {
      if (sink) await awaitDrained(sink);
      // The reader gets end-of-file: containerd's CRI waits for it before it calls Delete.
      this.end(out);
      return logger?.exit;
    });
    if (from === undefined) return;
    kept?.add('0<', from);
    this.source = from;
    this.fds.push(from);
    void readable(from).then((ready) => (ready ? copy(from, input) : undefined));
  }

  /** @throws RuntError ERR_IO, ERR_LOGGER; StatusError INVALID_ARGUMENT */
  static async open(fd: number, streams: Streams, container: LoggedContainer, kept?: KeptStreams): Promise<Console> {
    const { stdin, stdout } = streams;
    kept?.add('t', fd);
    if (!isLogger(stdout)) {
      const sink = stdout ? await openSink(stdout, kept) : undefined;
      if (sink && !stdout.startsWith('file://')) kept?.add('1>', sink.fd);
      const source = stdin ? await openSource(stdin, kept) : undefined;
      return Console.held(new Console(fd, sink, undefined, kept, source), kept);
    }
    const { Logger } = await import('../streams/log-program.js');
    const logger = await Logger.start(stdout, container);
    native.close(logger.stderr);
    const out = native.nonBlocking(logger.stdout, O_WRONLY);
    native.close(logger.stdout);
    // The log program may outlive us, and its pipe with it.
    kept?.add('1>', out);
    const source = stdin ? await openSource(stdin, kept) : undefined;
    return Console.held(new Console(fd, { fd: out, unread: false }, logger, kept, source), kept);
  }

  private static async held(console: Console, kept: KeptStreams | undefined): Promise<Console> {
    await kept?.hold();
    return console;
  }

  /** The terminal of a process that an earlier server started; undefined if its end was seen. */
  static async adopt(streams: Streams, kept: KeptStreams): Promise<Console | undefined> {
    const fd = await kept.take('t');
    const [out, source] = [await kept.take('1>'), await kept.take('0<')];
    if (fd === undefined) return undefined;
    const { stdin, stdout } = streams;
    const sink = out === undefined && stdout ? await openSink(stdout, kept) : undefined;
    kept.adoptStream('>', out, stdout);
    kept.adoptStream('<', source, stdin);
    return new Console(fd, out === undefined ? sink : { fd: out, unread: false }, undefined, kept, source);
  }

  /** In characters. */
  resize(width: number, height: number): void {
    native.setWindowSize(this.fd, width, height);
  }

  /** Stops reading input. The terminal stays open: a client ends the program's input by typing Ctrl-D. */
  closeStdin(): void {
    this.end(this.source);
    this.source = -1;
  }

  /** Resolves when the whole output is delivered and the terminal's other end is closed. */
  async drained(): Promise<void> {
    await this.output;
  }

  close(): void {
    for (const fd of [...this.fds]) this.end(fd);
    void this.logger?.end();
  }

  private end(fd: number): void {
    const at = this.fds.indexOf(fd);
    if (at < 0) return;
    this.fds.splice(at, 1);
    this.kept?.drop(fd);
    forget(fd);
    native.close(fd);
  }
}
