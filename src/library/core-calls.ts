/** The calls of the core that take long enough for a thread of their own. Node.js only. */
import { create } from '../container/create.js';
import { remove } from '../container/delete.js';
import { startExec } from '../container/exec.js';
import { start } from '../container/start.js';
import type { ExecKey } from '../container/state/exit-records.js';
import { RuntError } from '../sys/error.js';
import { alone } from './call-checks.js';

type ExecStart = Parameters<typeof startExec>[0];

/** A process that `exec` has started: plain values, which can cross to another thread. */
interface StartedExec {
  readonly pid: number;
  /** The caller closes it. */
  readonly pidfd: number;
  /** Of its exit record; absent without a supervisor. */
  readonly execKey: ExecKey | undefined;
}

async function exec(options: ExecStart): Promise<StartedExec> {
  const { pid, pidfd, resources } = (await startExec(options)).launch;
  return { pid, pidfd, execKey: resources.execKey };
}

/** Each takes one object of plain values, except for `warn`. */
const calls = { create, start, exec, remove };

export type CoreCall = keyof typeof calls;
export type CoreOptions<K extends CoreCall> = Parameters<(typeof calls)[K]>[0];
export type CoreResult<K extends CoreCall> = Awaited<ReturnType<(typeof calls)[K]>>;

/** Calls the core in this thread. @throws what the call throws */
export function callHere<K extends CoreCall>(name: K, options: CoreOptions<K>): Promise<CoreResult<K>> {
  const call = calls[name] as (options: CoreOptions<K>) => Promise<CoreResult<K>>;
  return call(alone(options));
}

/** To the thread: a call. Its options have no `warn`. */
export interface CallMessage {
  readonly number: number;
  readonly name: CoreCall;
  readonly options: object;
}

/** How a call has ended. */
export type CallEnd =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'failure'; readonly failure: SentError };

/**
 * From the thread. Each has all its members, because one that is absent could be inherited: some modules add members to
 * all objects. A warning without a number is about the state directory.
 */
export type AnswerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'warning'; readonly number: number | undefined; readonly sentence: string }
  | (CallEnd & { readonly number: number });

/** An error as it crosses between threads, where it would lose its class and its facts. */
type SentError =
  | { readonly kind: 'runt'; readonly facts: object; readonly cause: SentError | undefined }
  | { readonly kind: 'other'; readonly error: unknown; readonly facts: object };

export function sentError(error: unknown): SentError {
  if (!(error instanceof RuntError)) return { kind: 'other', error, facts: error instanceof Error ? { ...error } : {} };
  const { cause, name: _, ...facts } = error as RuntError & { cause?: unknown };
  return {
    kind: 'runt',
    facts: { ...facts, message: error.message, stack: error.stack },
    cause: Object.hasOwn(error, 'cause') ? sentError(cause) : undefined,
  };
}

/** The error of a call. Its stack is that of the thread, and then that of this function's callers. */
export function receivedError(sent: SentError): unknown {
  const error = madeError(sent);
  const here = new Error().stack;
  // Not text if the caller's program formats stacks.
  if (error instanceof Error && typeof error.stack === 'string' && typeof here === 'string') {
    error.stack += here.slice(here.indexOf('\n'));
  }
  return error;
}

function madeError(sent: SentError): unknown {
  if (sent.kind === 'other') return sent.error instanceof Error ? Object.assign(sent.error, sent.facts) : sent.error;
  const { code, message, ...facts } = sent.facts as RuntError;
  const { cause } = sent;
  // The constructor would add the name of the errno to the message, which has it.
  return Object.assign(new RuntError({ code, message, ...(cause && { cause: madeError(cause) }) }), facts);
}
