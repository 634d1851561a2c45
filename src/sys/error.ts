/** The error class of runt. */
import { errnoName, errnoText } from './errno.js';

/** One violation of the spec in a config. */
export interface Violation {
  /** JSON pointer (RFC 6901) into the document, config.json unless `document` names another. */
  pointer: string;
  /** The value there, as JSON prints it. */
  value?: unknown;
  /** The rule, as a clause that follows "must". */
  expected: string;
  /** Source of the rule: a page and anchor of the runtime-spec, or a man page. */
  see?: string;
}

/** The same facts appear in the command's text, its JSON log, the shim's status and the library. */
export interface ErrorFacts {
  /** Stable code in upper case, e.g. `ERR_MOUNT`; docs/errors.md lists all. */
  code: string;
  /** The sentence: what failed, on what. Without the errno, which the constructor adds. */
  message: string;
  /** Operation of the plan that failed, e.g. `mountFs`. */
  op?: string;
  /** Path or target of the failed operation. */
  path?: string;
  /** JSON pointer of the config value that the operation comes from. */
  pointer?: string;
  /** The value at the pointer. */
  value?: unknown;
  /** The document of the pointer, if it is not config.json. */
  document?: string;
  /** Positive errno. */
  errno?: number;
  syscall?: string;
  /** The cause, if it is known, or what to do. */
  hint?: string;
  /** Spec clause or man page. */
  see?: string;
  violations?: Violation[];
  /** Whether there are more violations than these. */
  more?: boolean;
  /** Exit status of the command; 1 when absent. */
  exit?: number;
  cause?: unknown;
}

let reworded: ((text: string) => string) | undefined;

/** Changes the words of messages and hints from now on, for callers without a command line. */
export function setWords(change: (text: string) => string): void {
  reworded = change;
}

/** Every failure that runt reports. `String(e)` is one line; `reportOf` (error-report.ts) makes the whole text. */
export class RuntError extends Error {
  // A field: an assignment fails where Error.prototype is frozen.
  override readonly name: string = 'RuntError';
  readonly code: string;
  // Declared only: a member that is absent is not shown as undefined.
  declare readonly op?: string;
  declare readonly path?: string;
  declare pointer?: string;
  declare value?: unknown;
  declare document?: string;
  declare readonly errno?: number;
  declare readonly syscall?: string;
  declare hint?: string;
  declare see?: string;
  declare readonly violations?: Violation[];
  declare readonly more?: boolean;
  declare readonly exit?: number;
  /** The whole text, as the command prints it. Only the library defines it (library/index.ts). */
  declare readonly report: () => string;

  constructor(facts: ErrorFacts) {
    const { message: text, cause, ...rest } = facts;
    const message = reworded?.(text) ?? text;
    super(
      facts.errno === undefined
        ? message
        : `${message}: ${errnoName(facts.errno)} (${lowerFirst(errnoText(facts.errno))})`,
    );
    if (cause !== undefined) this.cause = cause;
    this.code = rest.code;
    Object.assign(this, rest);
    if (reworded && rest.hint) this.hint = reworded(rest.hint);
  }
}

/**
 * A text of strerror(3) for the middle of a sentence: engines search for "permission denied" and "no such file or
 * directory" in lower case, as Go writes them. An abbreviation at the start keeps its case.
 */
function lowerFirst(text: string): string {
  const second = text[1] ?? '';
  return second === second.toLowerCase() ? `${text[0]?.toLowerCase()}${text.slice(1)}` : text;
}

/**
 * Whether QuickJS could not allocate memory: the kernel refused it, or RLIMIT_AS or RLIMIT_DATA did. It throws null if
 * it has no memory for the error.
 */
export const isOutOfMemory = (error: unknown): boolean =>
  error === null || (error instanceof Error && error.name === 'InternalError' && error.message === 'out of memory');

/** What to do about EMFILE. */
export const openFilesHint = 'raise the limit of open files (ulimit -n): runt may open no more';

/** Returns a native result; throws if it is `-errno`. */
export function check(result: number, facts: Omit<ErrorFacts, 'errno'>): number {
  if (result < 0) throw new RuntError({ ...facts, errno: -result });
  return result;
}
