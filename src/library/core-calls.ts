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

/** From the thread. `number` is that of the call; a warning without one is about the state directory. */
export type AnswerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'warning'; readonly number?: number; readonly sentence: string }
  | { readonly kind: 'result'; readonly number: number; readonly result: unknown }
  | { readonly kind: 'failure'; readonly number: number; readonly failure: SentError };

/** An error as it crosses between threads, where a RuntError would lose its class and its facts. */
type SentError = { readonly facts: object; readonly cause?: SentError } | { readonly error: unknown };

export function sentError(error: unknown): SentError {
  if (!(error instanceof RuntError)) return { error };
  const { cause, name: _, ...facts } = error as RuntError & { cause?: unknown };
  return {
    facts: { ...facts, message: error.message, stack: error.stack },
    ...(cause !== undefined && { cause: sentError(cause) }),
  };
}

export function receivedError(sent: SentError): unknown {
  if ('error' in sent) return sent.error;
  const { code, message, ...facts } = sent.facts as RuntError & { stack: string };
  const cause = sent.cause && receivedError(sent.cause);
  // The constructor would add the name of the errno to the message, which has it.
  return Object.assign(new RuntError({ code, message, ...(cause !== undefined && { cause }) }), facts);
}
