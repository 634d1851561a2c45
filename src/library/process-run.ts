/** A process that `run` or `exec` has started. Node.js only. */
import type { Readable, Writable } from 'node:stream';
import { awaitChild, type ExitRecord, exitRecord } from '../container/state/exit-records.js';
import { type EndLimit, type TimeLimit, timeoutError } from '../container/stdio/end-limit.js';
import { RuntError } from '../sys/error.js';
import { now, readableOrPolled, withTimeout } from '../sys/waiting/loop.js';
import { stopTime } from '../sys/waiting/time-limits.js';
import { settleStreams } from './held-stdio.js';
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
  /**
   * Milliseconds after which the process is ended: TERM, then KILL. Then `exit` rejects with ERR_TIMEOUT, and the exit
   * record has the reason `timeout`. The supervisor keeps the time, even if this program ends first.
   */
  timeout?: number;
  /** Milliseconds from that TERM to KILL; 10 s when absent, 0 for KILL at once. */
  stopTimeout?: number;
}

/** A started process, with our ends of its pipes; null for streams that are not pipes. */
export class Run {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly #piped: () => number;
  #output: Promise<Output> | undefined;

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
    this.#piped = countPipes(stdin);
    // A program that does not look at `exit` must not end because of it.
    exit.catch(() => {}).then(() => settleStreams({ stdin, stdout, stderr, terminal }));
  }

  /**
   * Closes stdin, unless a stream is piped into it, and resolves with all output once the process has ended; that of a
   * terminal is stdout. A second call has the same result.
   * @throws RuntError as `exit`
   */
  output(): Promise<Output> {
    this.#output ??= this.readOutput();
    return this.#output;
  }

  private async readOutput(): Promise<Output> {
    if (this.#piped() === 0) this.stdin?.end();
    const outputs = [text(this.terminal ?? this.stdout), text(this.stderr), this.exit] as const;
    const [stdout, stderr, { status, signal }] = await Promise.all(outputs);
    return { stdout, stderr, exitCode: status, signal };
  }
}

/** Counts the streams that are piped into a stream, from now on. */
function countPipes(stream: Writable | null): () => number {
  let n = 0;
  stream?.on('pipe', () => n++).on('unpipe', () => n--);
  return () => n;
}

/** The rest of a stream; of one that is destroyed, what was read until then. */
async function text(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream ?? []) {
      // Text if the caller has set an encoding.
      chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, stream?.readableEncoding ?? 'utf8') : chunk);
    }
  } catch (error) {
    // Node.js's code of a stream that was destroyed.
    if (!String((error as { code?: unknown }).code).endsWith('_STREAM_PREMATURE_CLOSE')) throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The limit of a process as the core has it. */
export const limitOf = ({ timeout, stopTimeout }: EndOptions): TimeLimit => ({
  ...(timeout !== undefined && { timeout }),
  ...(stopTimeout !== undefined && { stopTimeout }),
});

/** @throws RuntError ERR_ABORTED if the signal has aborted */
export function refuseAborted(what: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(what, signal);
}

export const abortedError = (what: string, signal: AbortSignal | undefined): RuntError =>
  new RuntError({ code: 'ERR_ABORTED', message: `${what}: the signal aborted it`, cause: signal?.reason });

/**
 * The exit of a process that is killed when a signal aborts, or that its time limit ends.
 * @param kill ends the process, also a frozen one
 * @throws RuntError ERR_ABORTED, ERR_TIMEOUT after the process has ended
 */
export async function endedBy(
  what: string,
  { signal, timeout, stopTimeout = stopTime }: EndOptions,
  exit: Promise<ExitRecord>,
  kill: () => Promise<void>,
): Promise<ExitRecord> {
  let aborted = false;
  // It may have ended by now.
  const end = (): void => void kill().catch(() => {});
  const abort = (): void => {
    aborted = true;
    end();
  };
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    // The supervisor has sent KILL by then, which a frozen process does not get on cgroup v1.
    if (timeout !== undefined && !(await withTimeout(exit, timeout + stopTimeout))) end();
    const record = await exit;
    if (record.reason === 'timeout') throw timeoutError(what, { timeout: timeout ?? 0 });
    if (aborted && record.signal !== 0) throw abortedError(what, signal);
    return record;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Waits for a child of this program, which its limit may end. Closes the pidfd. */
export async function awaitLimited(pidfd: number, pid: number, limit: EndLimit): Promise<ExitRecord> {
  while (!(await readableOrPolled(pidfd, Math.max(0, limit.deadline - now())))) limit.pass();
  const record = exitRecord(await awaitChild(pidfd, pid));
  return limit.timedOut ? { ...record, reason: 'timeout' } : record;
}
