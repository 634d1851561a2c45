/** Standard streams of a container's process as Node.js streams. Node.js only. */
import { Socket } from 'node:net';
import { resolve } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import type { Stdio } from '../container/launch/spawn-init.js';
import { openRegular } from '../container/stdio/regular-file.js';
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, O_RDONLY, O_RDWR } from '../sys/linux.js';

/** A regular file. Output is appended; a new file has mode 0600. A relative path is relative to this program. */
export interface StdioFile {
  readonly file: string;
}

/**
 * `pipe`: a stream of the result; `ignore`: /dev/null; `inherit`: this process's; a number: a descriptor; or a file,
 * which `logs()` reads.
 */
export type StdioOption = 'pipe' | 'ignore' | 'inherit' | number | StdioFile;

/** Descriptors for a process, and our ends of its pipes. */
export interface Streams {
  readonly stdio: Stdio;
  readonly stdin: Writable | null;
  readonly stdout: OutputPipe | null;
  readonly stderr: OutputPipe | null;
  /** Absolute paths of the streams that are files. */
  readonly files: readonly (string | undefined)[];
  /** Closes our copies of the process's descriptors. */
  closeProcessEnds(): void;
  /** Also closes our ends, if no process was started. */
  abandon(): void;
}

/** Opens the descriptors 0, 1 and 2 of a process. @throws RuntError ERR_IO, with nothing left open */
export function openStreams(options: readonly [StdioOption, StdioOption, StdioOption]): Streams {
  const theirs: number[] = [];
  const ours: (Socket | OutputPipe | null)[] = [];
  const owned: number[] = [];
  const files: (string | undefined)[] = [];
  const closeProcessEnds = () => {
    for (const fd of owned.splice(0)) native.close(fd);
  };
  const abandon = () => {
    closeProcessEnds();
    for (const stream of ours) stream?.destroy();
  };
  try {
    for (const [i, option] of options.entries()) {
      const file = typeof option === 'object' ? resolve(option.file) : undefined;
      files.push(file);
      if (option === 'pipe') {
        const { near, far } = i === 0 ? inputPipe() : outputPipe();
        ours.push(near);
        theirs.push(far);
        owned.push(far);
        continue;
      }
      ours.push(null);
      let opened: number | undefined;
      if (file !== undefined) opened = openRegular(file, i === 0, `stdio[${i}]`, 'give a descriptor of it instead');
      else if (option === 'ignore') opened = open('/dev/null', O_RDWR);
      if (opened !== undefined) owned.push(opened);
      theirs.push(opened ?? (typeof option === 'number' ? option : i));
    }
  } catch (error) {
    abandon();
    throw error;
  }
  const [stdin, stdout, stderr] = ours as [Socket | null, OutputPipe | null, OutputPipe | null];
  // A process that has ended does not read: EPIPE there must not end this program. A callback of write() still gets it.
  stdin?.on('error', () => {});
  return { stdio: theirs as unknown as Stdio, stdin, stdout, stderr, files, closeProcessEnds, abandon };
}

/** Receives each piece of output, when it is read from the kernel. */
export type Observer = (chunk: Buffer) => void;

/** Bytes of output that are kept for observers who come later. */
const keptOutput = 64 << 10;

/** The output of a process, for observers who do not consume it. */
class ObservedOutput {
  readonly #observers = new Set<Observer>();
  #kept: Buffer[] = [];
  #length = 0;

  /** Whether somebody observes: then the output is read, even if nobody consumes it. */
  get isObserved(): boolean {
    return this.#observers.size > 0;
  }

  /** Adds a piece of output. */
  add(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#length += chunk.length;
    while (this.#length - this.#kept[0]!.length >= keptOutput) this.#length -= this.#kept.shift()!.length;
    for (const observer of this.#observers) observer(chunk);
  }

  /** Calls an observer with the last 64 KiB of output, then with all that follows. Returns what ends that. */
  observe(observer: Observer): () => void {
    for (const chunk of this.#kept) observer(chunk);
    this.#observers.add(observer);
    return () => {
      this.#observers.delete(observer);
    };
  }
}

/** Bytes of unread output that are kept of a process that has ended: more than a pipe holds (pipe(7)). */
const mostDrained = 1 << 20;

/** What the two sources of output have: a pipe and a terminal. */
interface Source extends Readable {
  ref(): unknown;
  unref(): unknown;
}

/**
 * Forwards a source of output to a stream: as fast as the stream is consumed, faster while it is observed, and to the
 * end once the process has ended. Then the source is closed, even if the stream is never consumed.
 */
export class OutputFeed {
  readonly #output = new ObservedOutput();
  #drains = false;

  constructor(
    private readonly source: Source,
    stream: Readable,
  ) {
    source.on('data', (chunk: Buffer) => {
      this.#output.add(chunk);
      const drains = this.#drains && stream.readableLength < mostDrained;
      if (!stream.push(chunk) && !this.#output.isObserved && !drains) source.pause();
    });
    source.once('end', () => stream.push(null));
    source.pause();
  }

  /** For `_read` of the stream. */
  read(): void {
    this.source.ref();
    this.source.resume();
  }

  /** Calls an observer with the last output and all that follows; reads it even if nobody consumes it. */
  observe(observer: Observer): () => void {
    const stop = this.#output.observe(observer);
    this.read();
    return stop;
  }

  /** The process has ended: takes the rest of its output, without keeping this program running for it. */
  drain(): void {
    if (this.#drains) return;
    this.#drains = true;
    if (this.source.isPaused()) this.source.unref();
    this.source.resume();
  }
}

/** Our reading end of a pipe. */
export class OutputPipe extends Readable {
  readonly #pipe: Socket;
  readonly #feed: OutputFeed;

  /** @param fd the descriptor, which the stream owns */
  constructor(fd: number) {
    super();
    this.#pipe = new Socket({ fd, readable: true, writable: false });
    this.#feed = new OutputFeed(this.#pipe, this);
    this.#pipe.once('error', (error) => this.destroy(error));
  }

  /** See OutputFeed.observe. */
  observe(observer: Observer): () => void {
    return this.#feed.observe(observer);
  }

  /** See OutputFeed.drain. */
  drain(): void {
    this.#feed.drain();
  }

  override _read(): void {
    this.#feed.read();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pipe.destroy();
    done(error);
  }
}

/** Opened and closed by runt: a worker thread of Node.js closes the descriptors that Node.js has opened in it. */
const open = (path: string, flags: number): number =>
  check(native.openAt(AT_FDCWD, path, flags, 0), { code: 'ERR_IO', message: `open ${path}`, path, syscall: 'openat' });

function pipe(): [reader: number, writer: number] {
  const ends = new BigInt64Array(2);
  check(native.pipe(new Uint8Array(ends.buffer)), { code: 'ERR_IO', message: 'make a pipe', syscall: 'pipe2' });
  return [Number(ends[0]), Number(ends[1])];
}

/** A pipe with our reading end, which does not block. */
function outputPipe(): { near: OutputPipe; far: number } {
  const [reader, far] = pipe();
  return { near: new OutputPipe(reader), far };
}

/** A pipe with our writing end. Reopens the reading end, because the process's must block. */
function inputPipe(): { near: Socket; far: number } {
  const [reader, writer] = pipe();
  const far = open(`/proc/self/fd/${reader}`, O_RDONLY);
  native.close(reader);
  return { near: new Socket({ fd: writer, readable: false, writable: true }), far };
}
