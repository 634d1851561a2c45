/** The standard streams of one process. */
import type { Stdio } from '../../container/launch/spawn-init.js';
import { native } from '../../sys/host.js';
import { O_RDONLY, O_WRONLY } from '../../sys/linux.js';
import { forget, readable } from '../../sys/waiting/loop.js';
import { copy } from './byte-copy.js';
import type { KeptStreams } from './kept-streams.js';
import type { LoggedContainer, Logger } from './log-program.js';
import {
  awaitDrained,
  blocking,
  isLogger,
  type Owner,
  open,
  openSink,
  openSource,
  pipe,
  type Sink,
  type Streams,
} from './stdio-streams.js';

/** Pipes that the process's user owns. With a host fifo as its stdout, the process could reopen that for reading. */
export class Io {
  /** The process's descriptors 0, 1 and 2; `given` closes them. */
  stdio: Stdio = [-1, -1, -1];
  private readonly theirs: number[] = [];
  private readonly ours: number[] = [];
  private readonly outputs: Promise<void>[] = [];
  private source = -1;
  private closing = false;
  private logger: Logger | undefined;

  private constructor(
    private readonly owner: Owner,
    /** Holds our ends, for the next server. */
    private readonly kept: KeptStreams | undefined,
  ) {}

  /** @throws RuntError ERR_IO, ERR_LOGGER; StatusError INVALID_ARGUMENT */
  static async open(streams: Streams, owner: Owner, container: LoggedContainer, kept?: KeptStreams): Promise<Io> {
    const io = new Io(owner, kept);
    try {
      const { stdin, stdout, stderr } = streams;
      if (isLogger(stdout)) await io.log(stdout, container);
      const { logger } = io;
      const output = async (name: string, own: number | undefined, n: 1 | 2) =>
        isLogger(name) && own ? own : io.output(name, n);
      const input = await io.input(stdin);
      io.stdio = [input, await output(stdout, logger?.stdout, 1), await output(stderr, logger?.stderr, 2)];
      await kept?.hold();
      return io;
    } catch (error) {
      io.closeProcessEnds();
      io.close();
      throw error;
    }
  }

  /** The streams of a process that an earlier server started. @throws RuntError ERR_IO, StatusError INVALID_ARGUMENT */
  static async adopt(streams: Streams, kept: KeptStreams): Promise<Io> {
    const io = new Io({ uid: 0, gid: -1 }, kept);
    const [from, to] = [await kept.take('0<'), await kept.take('0')];
    for (const fd of [from, to]) if (fd !== undefined) io.addOurs(fd);
    kept.adoptStream('<', from, streams.stdin);
    if (from !== undefined && to !== undefined) io.feed(from, to);
    for (const n of [1, 2] as const) {
      const reader = await kept.take(`${n}`);
      const fd = await kept.take(`${n}>`);
      if (reader !== undefined) {
        io.addOurs(reader);
        const name = n === 1 ? streams.stdout : streams.stderr;
        const sink = fd === undefined ? await openSink(name, kept) : { fd, unread: false };
        kept.adoptStream('>', fd, name);
        io.drain(reader, sink);
      } else if (fd !== undefined) io.closeOurs(io.addOurs(fd));
    }
    return io;
  }

  /** Closes the shim's copies of the process's ends, once the process has them. */
  closeProcessEnds(): void {
    for (const fd of this.theirs.splice(0)) native.close(fd);
  }

  /** The process reads end-of-file after the input that has already arrived. */
  closeStdin(): void {
    this.closing = true;
    if (this.source >= 0) forget(this.source);
  }

  /** Resolves when the process's whole output is delivered. */
  async drained(): Promise<void> {
    await Promise.all(this.outputs);
  }

  close(): void {
    for (const fd of [...this.ours]) this.closeOurs(fd);
    void this.logger?.end();
  }

  private async log(uri: string, container: LoggedContainer): Promise<void> {
    const { Logger } = await import('./log-program.js');
    this.logger = await Logger.start(uri, container);
    this.outputs.push(this.logger.exit);
    for (const fd of [this.logger.stdout, this.logger.stderr]) this.chownPipe(this.addTheirs(fd));
  }

  private async input(name: string): Promise<number> {
    if (name === '') return this.addTheirs(open('/dev/null', O_RDONLY));
    const from = this.addOurs(await openSource(name, this.kept));
    const [reader, writer] = pipe();
    const theirs = this.chownPipe(this.addTheirs(blocking(reader)));
    const to = this.addOurs(native.nonBlocking(writer, O_WRONLY));
    native.close(writer);
    this.kept?.add('0<', from);
    this.kept?.add('0', to);
    this.feed(from, to);
    return theirs;
  }

  private feed(from: number, to: number): void {
    this.source = from;
    // The input ends with its last writer, as in containerd's runc shim: not every client calls CloseIO.
    void readable(from)
      .then((ready) => (ready || this.closing ? copy(from, to, () => this.closing) : undefined))
      .then(() => {
        this.closeOurs(from);
        this.closeOurs(to);
      });
  }

  private async output(name: string, n: 1 | 2): Promise<number> {
    if (name === '') return this.addTheirs(open('/dev/null', O_WRONLY));
    const sink = await openSink(name, this.kept);
    const [reader, writer] = pipe();
    this.addOurs(reader);
    this.chownPipe(this.addTheirs(writer));
    this.kept?.add(`${n}`, reader);
    // The kernel drops what is in a fifo when nobody has it open.
    if (!name.startsWith('file://')) this.kept?.add(`${n}>`, sink.fd);
    this.drain(reader, sink);
    return writer;
  }

  private drain(reader: number, sink: Sink): void {
    const to = this.addOurs(sink.fd);
    this.outputs.push(
      copy(reader, to)
        .then(() => {
          this.closeOurs(reader);
          return awaitDrained(sink);
        })
        .then(() => this.closeOurs(to)),
    );
  }

  /** Gives a pipe to the process's user. */
  private chownPipe(fd: number): number {
    if (this.owner.uid !== 0 || this.owner.gid > 0)
      native.chownAt(fd, '', BigInt(this.owner.uid), BigInt(this.owner.gid));
    return fd;
  }

  private addTheirs(fd: number): number {
    this.theirs.push(fd);
    return fd;
  }

  private addOurs(fd: number): number {
    this.ours.push(fd);
    return fd;
  }

  private closeOurs(fd: number): void {
    const at = this.ours.indexOf(fd);
    if (at < 0) return;
    this.ours.splice(at, 1);
    if (fd === this.source) this.source = -1;
    this.kept?.drop(fd);
    forget(fd);
    native.close(fd);
  }
}
