/**
 * Standard streams of a process as an engine names them: nothing, a fifo, or `file://`. The process gets pipes: a fifo of
 * the host's in its hands could be opened by it again, for reading too.
 */
import type { Stdio } from '../container/spawn.js';
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from '../sys/linux.js';
import { forget, readable } from '../sys/loop.js';
import { copy } from './copy.js';
import { Code, StatusError } from './status.js';

const O_NONBLOCK = 0o4000;
const O_APPEND = 0o2000;

/** Paths or URLs; empty for none. */
export interface Streams {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The streams of one process. */
export class Io {
  /** Descriptors that become 0, 1 and 2; closed by `given`. */
  readonly stdio: Stdio;
  private readonly theirs: number[] = [];
  private readonly ours: number[] = [];
  private readonly outputs: Promise<void>[] = [];
  private stdinPipe = -1;

  /** @throws RuntError ERR_IO, StatusError UNIMPLEMENTED */
  constructor(streams: Streams) {
    try {
      this.stdio = [this.input(streams.stdin), this.output(streams.stdout), this.output(streams.stderr)];
    } catch (error) {
      this.given();
      this.close();
      throw error;
    }
  }

  /** Closes the process's ends here, once it has them. */
  given(): void {
    for (const fd of this.theirs.splice(0)) native.close(fd);
  }

  /** The process reads the end of its input. */
  closeStdin(): void {
    if (this.stdinPipe < 0) return;
    const fd = this.stdinPipe;
    this.stdinPipe = -1;
    this.end(fd);
  }

  /** Resolves when all that the process wrote is delivered. */
  async drained(): Promise<void> {
    await Promise.all(this.outputs);
  }

  close(): void {
    this.closeStdin();
    for (const fd of [...this.ours]) this.end(fd);
  }

  private input(name: string): number {
    if (name === '') return this.theirsIs(open('/dev/null', O_RDONLY));
    const fifo = this.oursIs(open(pathOf(name), O_RDONLY | O_NONBLOCK));
    const [reader, writer] = pipe();
    // The pipe's reading end does not block; the process's must.
    const theirs = this.theirsIs(open(`/proc/self/fd/${reader}`, O_RDONLY));
    native.close(reader);
    this.stdinPipe = this.oursIs(native.nonBlocking(writer, O_WRONLY));
    native.close(writer);
    // Until somebody has opened the fifo for writing it reads as ended.
    void readable(fifo).then(async (ready) => {
      if (ready) await copy(fifo, this.stdinPipe);
      this.end(fifo);
      this.closeStdin();
    });
    return theirs;
  }

  private output(name: string): number {
    if (name === '') return this.theirsIs(open('/dev/null', O_WRONLY));
    const path = pathOf(name);
    if (name.startsWith('file://')) return this.theirsIs(open(path, O_WRONLY | O_CREAT | O_APPEND));
    // For reading too: the process must not end because a reader has left.
    const fifo = this.oursIs(open(path, O_RDWR | O_NONBLOCK));
    const [reader, writer] = pipe();
    this.oursIs(reader);
    this.theirsIs(writer);
    this.outputs.push(
      copy(reader, fifo).then(() => {
        this.end(reader);
        this.end(fifo);
      }),
    );
    return writer;
  }

  private theirsIs(fd: number): number {
    this.theirs.push(fd);
    return fd;
  }

  private oursIs(fd: number): number {
    this.ours.push(fd);
    return fd;
  }

  private end(fd: number): void {
    const at = this.ours.indexOf(fd);
    if (at < 0) return;
    this.ours.splice(at, 1);
    forget(fd);
    native.close(fd);
  }
}

/** The path of a stream's name. @throws StatusError for a kind of stream that is not served */
export function pathOf(name: string): string {
  const at = name.indexOf('://');
  if (at < 0) return name;
  const kind = name.slice(0, at);
  if (kind !== 'fifo' && kind !== 'file')
    throw new StatusError(Code.UNIMPLEMENTED, `a stream of kind ${kind}:// is not supported by this version of runt`);
  return name.slice(at + 3).split('?', 1)[0] as string;
}

function open(path: string, flags: number): number {
  const fd = native.openAt(AT_FDCWD, path, flags, 0o600);
  return check(fd, { code: 'ERR_IO', message: `open ${path}`, path, syscall: 'openat' });
}

function pipe(): [reader: number, writer: number] {
  const ends = new BigInt64Array(2);
  check(native.pipe(new Uint8Array(ends.buffer)), { code: 'ERR_IO', message: 'make a pipe', syscall: 'pipe2' });
  return [Number(ends[0]), Number(ends[1])];
}
