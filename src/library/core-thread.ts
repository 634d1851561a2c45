/** The thread in which a program that makes several containers has its calls of the core. Node.js only. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, SHARE_ENV, Worker, type WorkerOptions } from 'node:worker_threads';
import { endKilled } from '../container/launch/child-end.js';
import { RuntError } from '../sys/error.js';
import { threadStartPause } from '../sys/waiting/time-limits.js';
import { alone } from './call-checks.js';
import {
  type AnswerMessage,
  type CallEnd,
  type CallMessage,
  type CoreCall,
  type CoreOptions,
  type CoreResult,
  callHere,
  receivedError,
  sentError,
} from './core-calls.js';

/** A call in the thread. */
class PendingCall {
  /** What `warn` has thrown first. */
  refusal: { readonly error: unknown } | undefined = undefined;

  constructor(
    readonly warn: ((sentence: string) => void) | undefined,
    readonly settle: (end: CallEnd) => void,
  ) {}
}

class CoreThread {
  /** Whether it has loaded the core, and still runs. */
  isReady = false;
  private readonly worker: Worker;
  private readonly pending = new Map<number, PendingCall>();
  private count = 0;

  constructor(program: string) {
    this.worker = new Worker(program, alone<WorkerOptions>({ name: 'runt', env: SHARE_ENV, argv: [], execArgv: [] }));
    this.worker.on('message', (message: AnswerMessage) => this.receive(message));
    this.worker.on('error', (error) => this.end(error));
    this.worker.on('exit', () => this.end());
    this.worker.unref();
  }

  async call<K extends CoreCall>(name: K, { warn, ...options }: CoreOptions<K>): Promise<CoreResult<K>> {
    let call!: PendingCall;
    const end = await new Promise<CallEnd>((settle) => {
      const message: CallMessage = { number: this.count++, name, options };
      this.worker.postMessage(message);
      call = new PendingCall(warn, settle);
      this.pending.set(message.number, call);
      // Only a call keeps the program alive.
      this.worker.ref();
    });
    if (call.refusal) {
      if (end.kind === 'result') await undo(name, options as CoreOptions<K>, end.result as CoreResult<K>);
      throw call.refusal.error;
    }
    // Made here: a listener for messages has no callers for its stack.
    if (end.kind === 'failure') throw receivedError(end.failure);
    return end.result as CoreResult<K>;
  }

  private receive(message: AnswerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.isReady = true;
        break;
      case 'warning':
        if (message.number === undefined) warnOfState(message.sentence);
        else warnCaller(this.pending.get(message.number), message.sentence);
        break;
      default:
        this.take(message.number)?.settle(message);
    }
  }

  private take(number: number): PendingCall | undefined {
    const call = this.pending.get(number);
    this.pending.delete(number);
    if (this.pending.size === 0) this.worker.unref();
    return call;
  }

  /** Of its own accord, or because others have ended it. */
  private end(cause?: unknown): void {
    this.isReady = false;
    const facts = { code: 'ERR_INTERNAL', message: 'the thread of the library has ended' };
    const failure = sentError(new RuntError({ ...facts, ...(cause !== undefined && { cause }) }));
    for (const number of [...this.pending.keys()]) this.take(number)?.settle({ kind: 'failure', failure });
  }
}

/** In this thread what a listener throws ends the call; the other one does not wait for the listener. */
function warnCaller(call: PendingCall | undefined, sentence: string): void {
  try {
    call?.warn?.(sentence);
  } catch (error) {
    if (call) call.refusal ??= { error };
  }
}

async function undo<K extends CoreCall>(name: K, options: CoreOptions<K>, result: CoreResult<K>): Promise<void> {
  if (name === 'create') {
    const { root, id } = options as CoreOptions<'create'>;
    await callHere('remove', { root, id, force: true, warn: () => {} });
  } else if (name === 'exec') {
    const { pid, pidfd } = result as CoreResult<'exec'>;
    await endKilled(pidfd, pid);
  }
}

const warned = new Set<string>();

/** Warns of a directory, once: each thread finds the same. */
export function warnOfState(sentence: string): void {
  if (warned.has(sentence)) return;
  warned.add(sentence);
  process.emitWarning(sentence, { code: 'RUNT_STATE' });
}

/** The processes that this program has made. */
let made = 0;
let thread: CoreThread | undefined;

/** Starts the thread after the second process: a program that makes only one does not pay for it. */
function countMade(): void {
  // In a thread of the caller's own, the main one has its turn anyway.
  if (++made === 2 && isMainThread) setTimeout(startThread, threadStartPause).unref();
}

function startThread(): void {
  try {
    // Beside this module, unless that is in a bundle of the caller's.
    const program = fileURLToPath(new URL('./runt-thread.js', import.meta.url));
    if (existsSync(program)) thread = new CoreThread(program);
  } catch {
    // No descriptors, or Node.js's permissions exclude it: the calls need no thread.
  }
}

/**
 * Calls the core: in the thread if that is ready, otherwise here.
 * @throws what the call throws; what `warn` throws
 */
export async function callCore<K extends CoreCall>(name: K, options: CoreOptions<K>): Promise<CoreResult<K>> {
  if (thread?.isReady) return thread.call(name, options);
  try {
    return await callHere(name, options);
  } finally {
    if (name === 'create' || name === 'exec') countMade();
  }
}
