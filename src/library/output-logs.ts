/** The output that a container has written to files. Node.js only. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { sleep } from '../sys/waiting/loop.js';
import { followInterval } from '../sys/waiting/time-limits.js';
import type { OptionTypes } from './call-checks.js';
import { type HeldStdio, streamsError } from './held-stdio.js';

export interface LogOptions {
  /** Continues with what the container writes, until it has stopped. */
  follow?: boolean;
  /** Ends a `follow`, which then throws ERR_ABORTED. */
  signal?: AbortSignal;
}

export const logTypes: OptionTypes = { follow: 'boolean', signal: 'abort' };

/** A line of output. */
export interface LogLine {
  /** `stdout` also for a file that is both. */
  readonly stream: 'stdout' | 'stderr';
  /** UTF-8, without the newline. */
  readonly line: string;
}

/** The pieces of a file, each after the one before. */
export class FileReader {
  readonly #fd: number;
  #at: number;

  /** @param at where it begins @throws RuntError ERR_IO */
  constructor(
    readonly path: string,
    at = 0,
  ) {
    this.#at = at;
    try {
      this.#fd = openSync(path, 'r');
    } catch (error) {
      const errno = -((error as { errno?: number }).errno ?? -E.EIO);
      throw new RuntError({ code: 'ERR_IO', message: `read the output ${path}`, path, errno, syscall: 'open' });
    }
  }

  /** Device and inode, to recognize a file that is both streams. */
  get identity(): string {
    const { dev, ino } = fstatSync(this.#fd, { bigint: true });
    return `${dev}:${ino}`;
  }

  /** The next bytes; none at the end of the file. */
  read(): Buffer {
    const buffer = Buffer.alloc(64 << 10);
    const n = readSync(this.#fd, buffer, 0, buffer.length, this.#at);
    this.#at += n;
    return buffer.subarray(0, n);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Joins pieces of text to lines. */
class Lines {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  add(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  /** The last line, if it has no newline. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    return rest === '' ? [] : [rest];
  }
}

/**
 * The lines in the files of a container's output.
 * @param isOver whether the container has stopped: nothing more is written
 * @throws RuntError ERR_STREAMS if neither stream is a file, ERR_IO
 */
export async function* outputLines(
  id: string,
  held: HeldStdio | undefined,
  isOver: () => boolean,
): AsyncGenerator<LogLine, void, undefined> {
  const files = held?.files.slice(1).map((path, i) => ({ path, stream: (['stdout', 'stderr'] as const)[i]! })) ?? [];
  const sources = files.flatMap(({ path, stream }) => (path === undefined ? [] : [{ path, stream }]));
  if (sources.length === 0) throw noLogs(id, held);
  const opened: { stream: LogLine['stream']; reader: FileReader; lines: Lines }[] = [];
  try {
    for (const { path, stream } of sources) {
      const reader = new FileReader(path);
      if (opened.some((other) => other.reader.identity === reader.identity)) reader.close();
      else opened.push({ stream, reader, lines: new Lines() });
    }
    for (;;) {
      // In this order, to read what was written just before the end.
      const over = isOver();
      for (const { stream, reader, lines } of opened) {
        for (let chunk = reader.read(); chunk.length > 0; chunk = reader.read())
          for (const line of lines.add(chunk)) yield { stream, line };
        if (over) for (const line of lines.end()) yield { stream, line };
      }
      if (over) return;
      await sleep(followInterval);
    }
  } finally {
    for (const { reader } of opened) reader.close();
  }
}

function noLogs(id: string, held: HeldStdio | undefined): RuntError {
  const hint = "create it with stdio: ['ignore', { file: PATH }, { file: PATH }]";
  if (!held)
    return streamsError(`logs ${id}: this program has not created the container, and runt keeps no output`, hint);
  return streamsError(`logs ${id}: neither standard output nor standard error is a file`, hint);
}
