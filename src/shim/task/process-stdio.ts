/** The standard streams of one process. */
import type { Stdio } from '../../container/launch/spawn-init.js';
import { native } from '../../sys/host.js';
import { O_RDONLY, O_WRONLY } from '../../sys/linux.js';
import { forget, readable } from '../../sys/waiting/loop.js';
import { copy } from './byte-copy.js';
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

  private constructor(private readonly owner: Owner) {}

  /** @throws RuntError ERR_IO, ERR_LOGGER; StatusError INVALID_ARGUMENT */
  static async open(streams: Streams, owner: Owner, container: LoggedContainer): Promise<Io> {
    const io = new Io(owner);
    try {
      const { stdin, stdout, stderr } = streams;
      if (isLogger(stdout)) await io.log(stdout, container);
      const { logger } = io;
      const output = async (name: string, own: number | undefined) => (isLogger(name) && own ? own : io.output(name));
      const input = io.input(stdin);
      io.stdio = [input, await output(stdout, logger?.stdout), await output(stderr, logger?.stderr)];
      return io;
    } catch (error) {
      io.closeProcessEnds();
      io.close();
      throw error;
    }
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

  private input(name: string): number {
    if (name === '') return this.addTheirs(open('/dev/null', O_RDONLY));
    const from = this.addOurs(openSource(name));
    const [reader, writer] = pipe();
    const theirs = this.chownPipe(this.addTheirs(blocking(reader)));
    const to = this.addOurs(native.nonBlocking(writer, O_WRONLY));
    native.close(writer);
    this.source = from;
    // The input ends with its last writer, as in containerd's runc shim: not every client calls CloseIO.
    void readable(from)
      .then((ready) => (ready || this.closing ? copy(from, to, () => this.closing) : undefined))
      .then(() => {
        this.closeOurs(from);
        this.closeOurs(to);
      });
    return theirs;
  }

  private async output(name: string): Promise<number> {
    if (name === '') return this.addTheirs(open('/dev/null', O_WRONLY));
    const sink = await openSink(name);
    const to = this.addOurs(sink.fd);
    const [reader, writer] = pipe();
    this.addOurs(reader);
    this.chownPipe(this.addTheirs(writer));
    this.outputs.push(
      copy(reader, to)
        .then(() => {
          this.closeOurs(reader);
          return awaitDrained(sink);
        })
        .then(() => this.closeOurs(to)),
    );
    return writer;
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
    forget(fd);
    native.close(fd);
  }
}
