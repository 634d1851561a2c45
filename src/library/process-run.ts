/** A process that `run` or `exec` has started. Node.js only. */
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExitRecord } from '../container/state/exit-records.js';
import { RuntError } from '../sys/error.js';
import type { Streams } from './process-streams.js';
import type { TerminalStream } from './terminal-stream.js';

/** What a process wrote and how it ended. */
export interface Output {
  /** UTF-8; empty if the stream is not a pipe. */
  readonly stdout: string;
  readonly stderr: string;
  /** As in a shell: the code, or 128 + signal. */
  readonly exitCode: number;
  /** The signal that ended it; 0 if it exited. */
  readonly signal: number;
}

/** Ends of a process before its own. */
export interface EndOptions {
  /** Kills the process when it aborts; then `exit` rejects with ERR_ABORTED. */
  signal?: AbortSignal;
  /** Milliseconds after which the process is killed; then `exit` rejects with ERR_TIMEOUT. */
  timeout?: number;
}

/** A started process, with our ends of its pipes; null for streams that are not pipes. */
export class Run {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;

  /**
   * @param terminal with `tty`, both directions of the terminal; else null
   * @param pid on the host
   * @param exit of the process; rejects with a RuntError if it is unknown, ERR_ABORTED or ERR_TIMEOUT after a kill
   */
  constructor(
    readonly pid: number,
    { stdin, stdout, stderr }: Streams,
    readonly exit: Promise<ExitRecord>,
    readonly terminal: TerminalStream | null = null,
  ) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    // A program that does not look at `exit` must not end because of it.
    exit.catch(() => {});
  }

  /**
   * Closes stdin if it was not used, and resolves with all output once the process has ended; that of a terminal is
   * stdout.
   * @throws RuntError as `exit`
   */
  async output(): Promise<Output> {
    if (this.stdin && !this.stdin.writableEnded) this.stdin.end();
    const outputs = [text(this.terminal ?? this.stdout), text(this.stderr), this.exit] as const;
    const [stdout, stderr, { status, signal }] = await Promise.all(outputs);
    return { stdout, stderr, exitCode: status, signal };
  }
}

async function text(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The exit of a process that is killed when a signal aborts or a time passes.
 * @param kill ends the process
 * @throws RuntError ERR_ABORTED, ERR_TIMEOUT after the process has ended
 */
export async function endedBy(
  what: string,
  { signal, timeout }: EndOptions,
  exit: Promise<ExitRecord>,
  kill: () => Promise<void>,
): Promise<ExitRecord> {
  if (!signal && timeout === undefined) return exit;
  let cause: RuntError | undefined;
  const ended = new AbortController();
  const stop = (error: RuntError): void => {
    cause ??= error;
    // It may have ended by now.
    kill().catch(() => {});
  };
  const abort = () =>
    stop(new RuntError({ code: 'ERR_ABORTED', message: `${what}: the signal aborted it`, cause: signal?.reason }));
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  if (timeout !== undefined) {
    // Until the deadline, or until the process has ended.
    sleep(timeout, undefined, { signal: ended.signal }).then(
      () => stop(new RuntError({ code: 'ERR_TIMEOUT', message: `${what}: it ran for ${timeout} ms, and was killed` })),
      () => {},
    );
  }
  try {
    const record = await exit;
    if (cause && record.signal !== 0) throw cause;
    return record;
  } finally {
    ended.abort();
    signal?.removeEventListener('abort', abort);
  }
}
