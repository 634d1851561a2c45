/** Standard streams of a container's process as Node.js streams. Node.js only. */
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Stdio } from '../container/launch/spawn-init.js';
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';

/** `pipe`: a stream of the result; `ignore`: /dev/null; `inherit`: this process's; a number: a descriptor. */
export type StdioOption = 'pipe' | 'ignore' | 'inherit' | number;

/** Descriptors for a process, and our ends of its pipes. */
export interface Streams {
  readonly stdio: Stdio;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Closes our copies of the process's descriptors. */
  closeProcessEnds(): void;
  /** Also closes our ends, if no process was started. */
  abandon(): void;
}

/** Opens the descriptors 0, 1 and 2 of a process. @throws RuntError ERR_IO */
export function openStreams(options: readonly [StdioOption, StdioOption, StdioOption]): Streams {
  const theirs: number[] = [];
  const ours: (Socket | null)[] = [];
  const owned: number[] = [];
  options.forEach((option, i) => {
    if (option === 'pipe') {
      const { near, far } = i === 0 ? inputPipe() : outputPipe();
      ours.push(near);
      theirs.push(far);
      owned.push(far);
      return;
    }
    ours.push(null);
    const fd = option === 'ignore' ? openSync('/dev/null', 'r+') : option === 'inherit' ? i : option;
    if (option === 'ignore') owned.push(fd);
    theirs.push(fd);
  });
  const [stdin, stdout, stderr] = ours as [Socket | null, Socket | null, Socket | null];
  // A process that has ended does not read: EPIPE there must not end this program. A callback of write() still gets it.
  stdin?.on('error', () => {});
  const closeProcessEnds = () => {
    for (const fd of owned.splice(0)) closeSync(fd);
  };
  return {
    stdio: theirs as unknown as Stdio,
    stdin,
    stdout,
    stderr,
    closeProcessEnds,
    abandon() {
      closeProcessEnds();
      for (const stream of ours) stream?.destroy();
    },
  };
}

function pipe(): [reader: number, writer: number] {
  const ends = new BigInt64Array(2);
  check(native.pipe(new Uint8Array(ends.buffer)), { code: 'ERR_IO', message: 'make a pipe', syscall: 'pipe2' });
  return [Number(ends[0]), Number(ends[1])];
}

/** A pipe with our reading end, which does not block. */
function outputPipe(): { near: Socket; far: number } {
  const [reader, far] = pipe();
  return { near: new Socket({ fd: reader, readable: true, writable: false }), far };
}

/** A pipe with our writing end. Reopens the reading end, because the process's must block. */
function inputPipe(): { near: Socket; far: number } {
  const [reader, writer] = pipe();
  const far = openSync(`/proc/self/fd/${reader}`, 'r');
  closeSync(reader);
  return { near: new Socket({ fd: writer, readable: false, writable: true }), far };
}
