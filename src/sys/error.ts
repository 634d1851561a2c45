/**
 * The one error class (docs/errors.md): the same facts in the command's text, its JSON log, the shim's status and the
 * library. Codes are stable and listed in docs/errors.md.
 */
import { errnoName, errnoText } from './errno.js';

/** One violation of the spec found in a config. */
export interface Violation {
  /** JSON pointer into the document, config.json when no other is named (RFC 6901). */
  pointer: string;
  /** The value found there, as JSON would print it. */
  value?: unknown;
  /** What was expected, as a clause that follows "must". */
  expected: string;
  /** Where the rule stands: a page and anchor of the runtime-spec, or a man page. */
  see?: string;
}

export interface ErrorFacts {
  /** Stable, upper case, e.g. `ERR_MOUNT`; docs/errors.md lists all. */
  code: string;
  /** The sentence: what was tried, on what. No errno in it: that is added. */
  message: string;
  /** Operation of the plan that failed, e.g. `mountFs`. */
  op?: string;
  /** Path or target it failed on. */
  path?: string;
  /** JSON pointer of the config value that asked for it. */
  pointer?: string;
  /** The value at the pointer. */
  value?: unknown;
  /** What the pointer is into, when that is not config.json. */
  document?: string;
  /** Positive errno. */
  errno?: number;
  syscall?: string;
  /** Why it failed, where the cause is known. */
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

/** Every failure that runt reports. `String(e)` is one line; `reportOf` (error-report.ts) is the text a person gets. */
export class RuntError extends Error {
  readonly code: string;
  readonly op?: string;
  readonly path?: string;
  pointer?: string;
  value?: unknown;
  document?: string;
  readonly errno?: number;
  readonly syscall?: string;
  hint?: string;
  see?: string;
  readonly violations?: Violation[];
  readonly more?: boolean;
  readonly exit?: number;
  /** The whole text, as the command prints it. For users of the library, which gives it (library/index.ts). */
  declare readonly report: () => string;

  constructor(facts: ErrorFacts) {
    const { message, cause, ...rest } = facts;
    super(
      facts.errno === undefined
        ? message
        : `${message}: ${errnoName(facts.errno)} (${inSentence(errnoText(facts.errno))})`,
    );
    this.name = 'RuntError';
    if (cause !== undefined) this.cause = cause;
    this.code = rest.code;
    Object.assign(this, rest);
  }
}

/**
 * A text of strerror(3) within a sentence: engines look for "permission denied" and "no such file or directory" in
 * small letters, as Go writes them. What begins with an abbreviation stays.
 */
function inSentence(text: string): string {
  const second = text[1] ?? '';
  return second === second.toLowerCase() ? `${text[0]?.toLowerCase()}${text.slice(1)}` : text;
}

/** Throws when a native result is `-errno`; else returns it. */
export function check(result: number, facts: Omit<ErrorFacts, 'errno'>): number {
  if (result < 0) throw new RuntError({ ...facts, errno: -result });
  return result;
}
