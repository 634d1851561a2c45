/** Options of a container's methods, and their types for callers without a compiler. Node.js only. */
import type { Readable, Writable } from 'node:stream';
import type { AnnotationPolicy } from '../plan/annotation-policy.js';
import type { OptionType } from '../spec/options/option-checks.js';
import { signalNames, signalNumber } from '../sys/kernel-names.js';
import { nearestWord } from '../sys/nearest-word.js';
import { callError, type OptionTypes } from './call-checks.js';
import type { EndOptions, Run } from './process-run.js';
import type { StdioOption } from './process-streams.js';

/** Descriptors 0, 1 and 2 of a process. */
export type StdioOptions = readonly [stdin: StdioOption, stdout: StdioOption, stderr: StdioOption];

/** A process with a terminal. */
interface TerminalOptions {
  /** The process has a terminal, `terminal` of the result. For a container, its config must have process.terminal. */
  tty?: boolean;
}

export interface ContainerOptions extends TerminalOptions {
  /** Descriptors 0, 1 and 2 of the process; `inherit` when absent. */
  stdio?: StdioOptions;
  /** Let the first process reap orphans and forward signals to the program, its child. */
  init?: boolean;
  /** Use MS_MOVE and chroot instead of pivot_root. */
  noPivot?: boolean;
  /** Keep the caller's session keyring. */
  noNewKeyring?: boolean;
  /** Let systemd manage the cgroup (docs/systemd.md). */
  systemdCgroup?: boolean;
  /** Policy for annotations that weaken a container (docs/cli.md); when absent RUNT_UNSAFE_ANNOTATIONS, else `warn`. */
  unsafeAnnotations?: AnnotationPolicy;
  /** Timeout in seconds of hooks without `timeout`, 0 for none; when absent RUNT_HOOK_TIMEOUT, else 600. */
  hookTimeout?: number;
  /** Receives one sentence for each value of the config that runt ignores. */
  onWarning?: (sentence: string) => void;
}

/** The end of a container with that of its program. */
interface ParentOptions {
  /**
   * Kill the container when this program has ended, whatever ends it, and then remove its cgroups; its state stays, for
   * `delete({ force: true })`.
   */
  dieWithParent?: boolean;
}

export interface CreateOptions extends ContainerOptions, ParentOptions {
  /** If it aborts before the container is created, the container is removed and the call rejects with ERR_ABORTED. */
  signal?: AbortSignal;
}

/** Where warnings go. */
export interface WarningOptions {
  /** Receives one sentence for each value that has no effect, and for each part of the work that failed. */
  onWarning?: (sentence: string) => void;
}

export interface RunOptions extends ContainerOptions, ParentOptions, EndOptions {
  /** Keep the stopped container; otherwise it is deleted before `exit` resolves. */
  keep?: boolean;
}

export interface ExecOptions extends EndOptions, TerminalOptions, WarningOptions {
  /** Kill the process when this program has ended, whatever ends it. What it has forked goes on. */
  dieWithParent?: boolean;
  /** Descriptors 0, 1 and 2 of the process; three pipes when absent. */
  stdio?: StdioOptions;
  /** `NAME=value`, in addition to the container's. */
  env?: readonly string[];
  cwd?: string;
  /** `UID[:GID]`, or names in the container's passwd and group files. */
  user?: string;
  additionalGids?: readonly number[];
  /** Capabilities in addition to the container's. */
  capabilities?: readonly string[];
  /** Same as in ContainerOptions; only `deny` has an effect, because create has warned. */
  unsafeAnnotations?: AnnotationPolicy;
}

export interface WaitOptions {
  /** Milliseconds after which it rejects with ERR_TIMEOUT; no limit when absent. */
  timeout?: number;
  /** Ends the wait, which rejects with ERR_ABORTED; the container continues. */
  signal?: AbortSignal;
}

export interface StopOptions {
  /** Milliseconds after which KILL follows; 10 s when absent. */
  timeout?: number;
  /** A number, or a name with or without SIG, instead of the config's stop signal. */
  stopSignal?: number | string;
  /** Ends the wait, which rejects with ERR_ABORTED; the stop signal was sent, and KILL does not follow. */
  signal?: AbortSignal;
}

export interface KillOptions extends WaitOptions {
  /** Signals every process of the container. */
  all?: boolean;
  /** Resolves when the container has ended. `timeout` and `signal` end this wait. */
  wait?: boolean;
}

export interface DeleteOptions extends WaitOptions, WarningOptions {
  /** Kills it first, and ignores a missing container. */
  force?: boolean;
  /** Waits until it has ended. `timeout` and `signal` end this wait; then it is not removed. */
  wait?: boolean;
}

/** A started process whose stdio is three pipes: that of `run` and `exec` without `stdio`. */
export interface PipedRun extends Run {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** Options that leave the stdio as it is by default. */
export type Piped<O> = O & { stdio?: undefined };

export const containerTypes: OptionTypes = {
  stdio: 'stdio',
  tty: 'boolean',
  init: 'boolean',
  noPivot: 'boolean',
  noNewKeyring: 'boolean',
  systemdCgroup: 'boolean',
  unsafeAnnotations: 'policy',
  hookTimeout: 'seconds',
  onWarning: 'function',
};
const endTypes: OptionTypes = { signal: 'abort', timeout: 'milliseconds', stopTimeout: 'milliseconds' };
export const createTypes: OptionTypes = { ...containerTypes, dieWithParent: 'boolean', signal: 'abort' };
export const runTypes: OptionTypes = { ...containerTypes, ...endTypes, dieWithParent: 'boolean', keep: 'boolean' };
export const execTypes: OptionTypes = {
  ...endTypes,
  tty: 'boolean',
  stdio: 'stdio',
  env: 'list',
  cwd: 'string',
  user: 'string',
  additionalGids: 'numbers',
  capabilities: 'list',
  dieWithParent: 'boolean',
  unsafeAnnotations: 'policy',
  onWarning: 'function',
  init: 'absent',
};
/** Every exec would need a pid namespace of its own for it; no engine has this option. */
export const execRefusals: Readonly<Record<string, OptionType>> = {
  absent: {
    is: () => false,
    meaning: 'left out: the first process of a container that was created with init reaps the orphans of its execs',
  },
};
export const waitTypes: OptionTypes = { timeout: 'milliseconds', signal: 'abort' };
export const stopTypes: OptionTypes = { ...waitTypes, stopSignal: 'number string' };
export const killTypes: OptionTypes = { ...waitTypes, all: 'boolean', wait: 'boolean' };
export const deleteTypes: OptionTypes = { ...waitTypes, force: 'boolean', wait: 'boolean', onWarning: 'function' };
export const warningTypes: OptionTypes = { onWarning: 'function' };

/**
 * The number of a signal.
 * @param zero allow 0, which only checks that a process exists (kill(2))
 * @throws RuntError ERR_USAGE for an unknown one
 */
export function signalOf(call: string, signal: unknown, zero = false): number {
  if (zero && signal === 0) return 0;
  const isName = typeof signal === 'string';
  if (!isName && typeof signal !== 'number') throw callError(`${call}: the signal must be a number or a string`);
  const number = signalNumber(String(signal));
  if (number !== undefined) return number;
  const near = isName ? nearestWord(signal.toUpperCase().replace(/^SIG/, ''), signalNames()) : undefined;
  throw callError(
    `${call}: unknown signal ${isName ? JSON.stringify(signal) : signal}${near === undefined ? '' : `; did you mean ${near}?`}`,
  );
}
