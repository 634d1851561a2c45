/** Standard streams that an engine names: empty, a fifo, `file://`, `binary://`, `binary-v2://`, or a streaming id. */
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { makeParents } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../../sys/linux.js';
import { now, readable, sleep } from '../../sys/waiting/loop.js';
import { fifoDrainPause, fifoOpenPause, fifoReaderTime } from '../../sys/waiting/time-limits.js';
import { Code, StatusError } from '../transport/status-code.js';
import type { KeptStreams } from './kept-streams.js';
import { streamId } from './stream-id.js';

/** Paths or URLs; empty for none. */
export interface Streams {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Owner of a process's pipes, in host ids: the process's user, so that the process can reopen /dev/stdout. */
export interface Owner {
  readonly uid: number;
  /** -1: the shim's group. */
  readonly gid: number;
}

/** Whether a log program reads the output (log-program.ts). */
export const isLogger = (name: string): boolean => /^binary(-v2)?:\/\//.test(name);

/** Opens the input. A fifo without a writer reads as end-of-file: wait until it is readable first. */
export async function openSource(name: string, kept?: KeptStreams): Promise<number> {
  const id = streamId(name);
  return id === undefined ? open(pathOf(name), O_RDONLY | O_NONBLOCK) : openStream('<', id, kept);
}

/** An open output. */
export interface Sink {
  readonly fd: number;
  /** A fifo that has no reader yet; a client may still open it. */
  readonly unread: boolean;
}

/**
 * Opens a fifo for reading too: if its reader leaves, no output is lost and no writer gets SIGPIPE. Waits for a reader
 * first, as runc's shim does, but with a deadline: containerd's clients stop opening when the process has ended.
 */
export async function openSink(name: string, kept?: KeptStreams): Promise<Sink> {
  const id = streamId(name);
  if (id !== undefined) return { fd: await openStream('>', id, kept), unread: false };
  const path = pathOf(name);
  if (!name.startsWith('file://')) {
    const reader = () => native.openAt(AT_FDCWD, path, O_WRONLY | O_NONBLOCK, 0);
    const until = now() + fifoReaderTime;
    let read = reader();
    for (; read === -E.ENXIO && now() < until; read = reader()) await sleep(fifoOpenPause);
    const fd = open(path, O_RDWR | O_NONBLOCK);
    if (read >= 0) native.close(read);
    return { fd, unread: read === -E.ENXIO };
  }
  // runc's shim creates the directories too.
  makeParents(path);
  return { fd: open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644), unread: false };
}

/** Resolves when a fifo may be closed: the kernel drops unread bytes at the last close. */
export async function awaitDrained({ fd, unread }: Sink): Promise<void> {
  if (!unread) return;
  const until = now() + fifoReaderTime;
  while (now() < until && (await readable(fd, 0))) await sleep(fifoDrainPause);
}

export function open(path: string, flags: number, mode = 0o600): number {
  const fd = native.openAt(AT_FDCWD, path, flags, mode);
  return check(fd, { code: 'ERR_IO', message: `open ${path}`, path, syscall: 'openat' });
}

/** A pipe with a non-blocking read end and a blocking write end. */
export function pipe(): [reader: number, writer: number] {
  const ends = new BigInt64Array(2);
  check(native.pipe(new Uint8Array(ends.buffer)), { code: 'ERR_IO', message: 'make a pipe', syscall: 'pipe2' });
  return [Number(ends[0]), Number(ends[1])];
}

/**
 * Gives one end of a pipe to the keeper, which moves the bytes. @param direction `>` for an output
 * @returns the other end, which does not block
 * @throws StatusError INVALID_ARGUMENT for a server without a keeper; RuntError ERR_SHIM
 */
async function openStream(direction: '>' | '<', id: string, kept: KeptStreams | undefined): Promise<number> {
  if (!kept)
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      `the stream ${id} needs the server of a node: runt serve --containerd --streaming`,
    );
  const [reader, blockingWriter] = pipe();
  const writer = native.nonBlocking(blockingWriter, O_WRONLY);
  native.close(blockingWriter);
  check(writer, { code: 'ERR_IO', message: 'open a pipe', syscall: 'openat' });
  const [ours, theirs] = direction === '>' ? [writer, reader] : [reader, writer];
  try {
    await kept.give(ours, `${direction}${id}`, theirs);
    return ours;
  } catch (error) {
    native.close(ours);
    throw error;
  }
}

/** Replaces a read end by a blocking one, as programs expect; closes `reader`. */
export function blocking(reader: number): number {
  const fd = open(`/proc/self/fd/${reader}`, O_RDONLY);
  native.close(reader);
  return fd;
}

/** The path in a stream's name. @throws StatusError for an unsupported scheme */
function pathOf(name: string): string {
  const at = name.indexOf('://');
  if (at < 0) return name;
  const kind = name.slice(0, at);
  if (kind !== 'fifo' && kind !== 'file')
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      `a stream of kind ${kind}:// is not supported by this version of runt`,
    );
  return name.slice(at + 3).split('?', 1)[0] as string;
}
