/** Waits until a container is ready: `waitFor`. Node.js only. */

import { StringDecoder } from 'node:string_decoder';
import { readExit } from '../container/state/exit-records.js';
import { statusOf } from '../container/state/recorded-process.js';
import { type ContainerRecord, loadRecord, type Status } from '../container/state/state-store.js';
import { isObject } from '../spec/json/is-object.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { tryReadText, tryStat } from '../sys/fs.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../sys/linux.js';
import { now, sleep, withTimeout } from '../sys/waiting/loop.js';
import { lastOutputTime, timeoutStatus, waitForInterval, waitForTime } from '../sys/waiting/time-limits.js';
import { callError, checkOptions, checkWords, type OptionTypes } from './call-checks.js';
import { type HeldStdio, heldStdio, streamsError } from './held-stdio.js';
import { FileReader } from './output-logs.js';
import { abortedError } from './process-run.js';

/** The container's status is this one, or one of these. */
export interface StatusCondition {
  status: Status | readonly Status[];
}

/**
 * A line of its output has this text, or matches this expression. Needs output that this program reads: pipes, files
 * or a terminal. Of pipes and terminals, the last 64 KiB before the call count too.
 */
export interface OutputCondition {
  output: string | RegExp;
  /** Lines that must match; 1 when absent. A server that restarts itself once, such as postgres, prints two. */
  times?: number;
}

/** A process listens on this TCP port in the container's network namespace. No connection is made. */
export interface PortCondition {
  port: number;
}

/** This absolute path exists in the container. */
export interface FileCondition {
  file: string;
}

/** This command, executed in the container, exits with 0. */
export interface CommandCondition {
  command: readonly string[];
}

/** A condition, or a function that says whether it is met. */
export type Condition =
  | StatusCondition
  | OutputCondition
  | PortCondition
  | FileCondition
  | CommandCondition
  | (() => boolean | Promise<boolean>);

export interface WaitForOptions {
  /** Milliseconds after which it rejects with ERR_TIMEOUT; 60 s when absent. */
  timeout?: number;
  /** Ends the wait, which rejects with ERR_ABORTED; the container continues. */
  signal?: AbortSignal;
  /** Milliseconds between two looks; 100 when absent. The first ones follow faster. */
  interval?: number;
}

export const waitForTypes: OptionTypes = { timeout: 'milliseconds', signal: 'abort', interval: 'interval' };

/** A condition that can be looked at. */
interface Look {
  /** For errors: what is waited for. */
  readonly what: string;
  readonly isMet: () => boolean | Promise<boolean>;
  /** A look that waits ends by itself when the signal aborts. */
  readonly endsWithSignal?: true;
  readonly close: () => void;
}

interface Target {
  readonly root: string;
  readonly record: ContainerRecord;
  /** Whether a command exits with 0 in it; it is killed after `timeout` ms. */
  readonly succeeds: (command: readonly string[], timeout: number) => Promise<boolean>;
}

/** What an error shows of the last output: bytes of each stream that are looked at, and lines of them. */
const mostLastOutput = 4 << 10;
const lastLines = 3;
/** Characters of a line without an end that are looked at. */
const longestLine = 64 << 10;
/** The state TCP_LISTEN in /proc/net/tcp (proc_net_tcp(5)). */
const listenState = '0A';

/**
 * Waits until all conditions are met.
 * @throws RuntError ERR_TIMEOUT, ERR_ABORTED, ERR_CONTAINER_STATUS if the container stops before, ERR_STREAMS for
 *   output that this program does not read
 */
export async function waitForAll(target: Target, conditions: readonly Condition[], o: WaitForOptions): Promise<void> {
  const { root, record } = target;
  const what = `waitFor ${record.id}`;
  const { timeout = waitForTime, interval = waitForInterval, signal } = o;
  const deadline = now() + timeout;
  let looks: Look[] = [];
  try {
    for (const condition of conditions)
      looks.push(lookOf(what, target, condition, () => Math.max(1, deadline - now())));
    let wasStopped = false;
    for (let pause = 1; looks.length > 0; pause = Math.min(2 * pause, interval)) {
      if (signal?.aborted) throw abortedError(what, signal);
      // In this order, to see what was done just before the end.
      const isStopped = currentStatus(root, record) === 'stopped';
      const unmet: Look[] = [];
      for (const look of looks) {
        const looking = Promise.resolve(look.isMet());
        const met = await withTimeout(
          look.endsWithSignal ? looking : untilAborted(looking, signal),
          Math.max(1, deadline - now()),
        );
        if (signal?.aborted) throw abortedError(what, signal);
        if (met === true) look.close();
        else unmet.push(look);
      }
      looks = unmet;
      const [first] = unmet;
      if (!first) return;
      // Its last output may still be in a pipe: look once more.
      if (wasStopped) throw await stoppedError(what, target, first);
      if (now() >= deadline) throw timeoutError(what, first, timeout);
      wasStopped = isStopped;
      await pauseUntil(isStopped ? lastOutputTime : Math.min(pause, Math.max(1, deadline - now())), signal);
    }
  } finally {
    for (const look of looks) look.close();
  }
}

/** Tells how it ended, and its last output, which usually says why. */
async function stoppedError(what: string, { root, record }: Target, look: Look): Promise<RuntError> {
  const exit = readExit(`${root}/${record.id}`);
  const status = exit?.pid === record.pid ? ` with status ${exit.status}` : '';
  const output = await lastOutput(heldStdio(root, record));
  return new RuntError({
    code: 'ERR_CONTAINER_STATUS',
    message: `${what}: the container has stopped${status} before ${look.what}`,
    ...(output && { hint: `look at its last output:\n${output}` }),
  });
}

/** The last lines that a container has written; undefined if this program does not have its output. */
async function lastOutput(held: HeldStdio | undefined): Promise<string | undefined> {
  const texts = [held?.stdout, held?.stderr, held?.terminal].map((stream) => {
    let text = '';
    const stop = stream?.observe((chunk) => {
      text = (text + chunk.toString()).slice(-mostLastOutput);
    });
    return () => {
      stop?.();
      return text;
    };
  });
  await sleep(lastOutputTime);
  const written = texts.map((end) => end());
  for (const path of new Set(held?.files.slice(1))) if (path) written.push(endOfFile(path));
  const lines = written.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-lastLines),
  );
  return lines.length === 0 ? undefined : lines.join('\n');
}

/** Empty if it cannot be read: this is for an error with another reason. */
function endOfFile(path: string): string {
  const size = tryStat(path)?.size ?? 0;
  try {
    const reader = new FileReader(path, Math.max(0, Number(size) - mostLastOutput));
    try {
      return reader.read().toString();
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof RuntError) return '';
    throw error;
  }
}

const timeoutError = (what: string, look: Look, timeout: number): RuntError =>
  new RuntError({
    code: 'ERR_TIMEOUT',
    message: `${what}: ${timeout / 1000} s have passed before ${look.what}`,
    exit: timeoutStatus,
  });

/** Its status, or `stopped` if it was deleted, even if another container has its id by now. */
function currentStatus(root: string, { id, created }: ContainerRecord): Status {
  try {
    const record = loadRecord(root, id);
    return record.created === created ? statusOf(root, record) : 'stopped';
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return 'stopped';
    throw error;
  }
}

/** Sleeps for `ms`, or until the signal aborts. */
async function pauseUntil(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal) await withTimeout(untilAborted(new Promise<never>(() => {}), signal), ms);
  else await sleep(ms);
}

/** Waits for `work`, or until the signal aborts: undefined then. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (!signal) return work;
  let abort = (): void => {};
  const aborted = new Promise<undefined>((settle) => {
    abort = () => settle(undefined);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** The types of each kind of condition, by the member that tells it. */
const conditionTypes: Readonly<Record<string, OptionTypes>> = {
  status: { status: 'statuses' },
  output: { output: 'pattern', times: 'count' },
  port: { port: 'port' },
  file: { file: 'path' },
  command: { command: 'list' },
};

const statuses = ['creating', 'created', 'running', 'paused', 'stopped'];
const isStatus = (value: unknown): boolean => statuses.includes(value as string);
const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 1;
const memberTypes = {
  statuses: {
    is: (value: unknown) => (isList(value) ? value.length > 0 && value.every(isStatus) : isStatus(value)),
    meaning: `one of ${statuses.map((s) => `'${s}'`).join(', ')}, or a list of them`,
  },
  pattern: {
    is: (value: unknown) => typeof value === 'string' || value instanceof RegExp,
    meaning: 'a string or a RegExp',
  },
  count: { is: isCount, meaning: 'a number, at least 1' },
  port: { is: (value: unknown) => isCount(value) && (value as number) <= 65_535, meaning: 'a port from 1 to 65535' },
  path: { is: (value: unknown) => typeof value === 'string' && value.startsWith('/'), meaning: 'an absolute path' },
};

/** Checks conditions of `waitFor`. @throws RuntError ERR_USAGE */
export function checkConditions(value: unknown): Condition[] {
  const conditions = isList(value) ? [...value] : [value];
  return conditions.map((condition) => {
    if (typeof condition === 'function') return condition as Condition;
    const kinds = Object.keys(conditionTypes);
    const kind = isObject(condition) ? kinds.find((name) => name in condition) : undefined;
    if (kind === undefined || !isObject(condition))
      throw callError(`waitFor: a condition is a function, or has one of ${kinds.join(', ')}`);
    const others = kinds.filter((name) => name !== kind && name in condition);
    if (others.length > 0)
      throw callError(`waitFor: ${[kind, ...others].join(' and ')} are conditions of their own: write a list of them`);
    const copy = checkOptions('waitFor', condition, conditionTypes[kind]!, memberTypes);
    if (kind === 'command') checkWords('waitFor', copy.command);
    return copy as unknown as Condition;
  });
}

function lookOf(what: string, target: Target, condition: Condition, timeLeft: () => number): Look {
  const { root, record } = target;
  const look = (text: string, isMet: Look['isMet']): Look => ({
    what: text,
    isMet,
    close: () => {},
  });
  if (typeof condition === 'function') return look('the condition was met', condition);
  if ('status' in condition) {
    const wanted: readonly string[] = [condition.status].flat();
    const isMet = (): boolean => wanted.includes(currentStatus(root, record));
    return look(`it was ${wanted.join(' or ')}`, isMet);
  }
  if ('output' in condition) return outputLook(what, target, condition);
  if ('port' in condition) {
    return look(`a process listened on port ${condition.port}`, () => isListening(record.pid, condition.port));
  }
  if ('file' in condition)
    return look(`${condition.file} existed`, () => existsInside(what, record.pid, condition.file));
  const succeeded = (): Promise<boolean> => target.succeeds(condition.command, timeLeft());
  return { ...look(`${JSON.stringify(condition.command)} succeeded`, succeeded), endsWithSignal: true };
}

/** Whether a process listens on a TCP port in the network namespace of a process (proc_net_tcp(5)). */
function isListening(pid: number, port: number): boolean {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].some((name) =>
    (tryReadText(`/proc/${pid}/net/${name}`) ?? '').split('\n').some((line) => {
      const [, address = '', , state] = line.trim().split(/\s+/);
      return state === listenState && address.endsWith(end);
    }),
  );
}

/** Whether a path exists in the root of a process. @throws RuntError ERR_IO */
function existsInside(what: string, pid: number, path: string): boolean {
  const root = native.openAt(AT_FDCWD, `/proc/${pid}/root`, O_PATH, 0);
  if (root === -E.ENOENT || root === -E.ESRCH) return false;
  const facts = { code: 'ERR_IO', message: `${what}: look for ${path}`, path };
  check(root, { ...facts, syscall: 'openat' });
  // A link of the container must not lead out of it.
  const fd = native.openAt2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  native.close(root);
  if (fd === -E.ENOENT || fd === -E.ENOTDIR) return false;
  native.close(check(fd, { ...facts, syscall: 'openat2' }));
  return true;
}

/** Counts the lines that match. */
class LineCount {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  /** Whether the line that has begun was counted already. */
  #restMatched = false;
  count = 0;

  constructor(private readonly pattern: string | RegExp) {}

  /** A prompt or a last line has no newline: it counts when it matches, and once. */
  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    const last = lines.length - 1;
    lines.forEach((line, i) => {
      const counted = i === 0 && this.#restMatched;
      const matched = counted || this.matches(line);
      if (matched && !counted) this.count++;
      if (i === last) this.#restMatched = matched;
    });
    this.#rest = lines[last]!.slice(-longestLine);
  }

  private matches(line: string): boolean {
    if (typeof this.pattern === 'string') return line.includes(this.pattern);
    // A global or sticky expression begins where its last match has ended.
    this.pattern.lastIndex = 0;
    return this.pattern.test(line);
  }
}

/** Looks at the output of both streams. @throws RuntError ERR_STREAMS, ERR_IO */
function outputLook(what: string, { root, record }: Target, { output, times = 1 }: OutputCondition): Look {
  const held = heldStdio(root, record);
  const counts: LineCount[] = [];
  const counter = (): LineCount => {
    counts.push(new LineCount(output));
    return counts.at(-1)!;
  };
  const closes: (() => void)[] = [];
  const reads: (() => void)[] = [];
  const close = (): void => {
    for (const end of closes.splice(0)) end();
  };
  try {
    for (const stream of [held?.stdout, held?.stderr, held?.terminal]) {
      const count = counter();
      if (stream) closes.push(stream.observe((chunk) => count.add(chunk)));
    }
    for (const path of new Set(held?.files.slice(1))) {
      if (path === undefined) continue;
      const count = counter();
      const reader = new FileReader(path);
      closes.push(() => reader.close());
      reads.push(() => {
        for (let chunk = reader.read(); chunk.length > 0; chunk = reader.read()) count.add(chunk);
      });
    }
  } catch (error) {
    close();
    throw error;
  }
  if (closes.length === 0) {
    throw streamsError(
      `${what}: this program does not read the output of the container`,
      'create it in this program, with pipes or files as stdio, or wait for something else',
    );
  }
  return {
    what: `${times === 1 ? 'a line' : `${times} lines`} of output matched ${output}`,
    isMet: () => {
      for (const read of reads) read();
      return counts.reduce((sum, { count }) => sum + count, 0) >= times;
    },
    close,
  };
}
