/** What the rules find in a config: what makes it invalid, and what only deserves a word. */

import type { Violation } from '../../sys/error.js';
import { nearest } from '../../sys/nearest-word.js';
import { clipped } from '../../sys/report/clipped-text.js';

/** Violations that are listed, and warnings: nobody reads more, and the text of millions costs a server its memory. */
export const MOST = 100;

/** What is expected; a function where it costs something to say, as it is only asked for what is listed. */
type Expected = string | (() => string);

export class Findings {
  /** What the spec or the kernel forbids, the first `MOST` of it. */
  readonly violations: Violation[] = [];
  /** Whether there are more violations than are listed. */
  more = false;
  private readonly warned: Violation[] = [];
  private warningCount = 0;

  /** What the spec advises against, or tells runtimes to accept with a warning; the last one counts what is not listed. */
  get warnings(): readonly Violation[] {
    const rest = this.warningCount - this.warned.length;
    if (rest === 0) return this.warned;
    return [...this.warned, { pointer: '', expected: `give cause for fewer warnings: ${rest} more are not listed` }];
  }

  /** Notes a violation. `see` is a page of the runtime-spec, or a man page (`rlimits(2)`). */
  refuse(pointer: string, value: unknown, expected: Expected, see: string): void {
    if (this.full()) return;
    this.violations.push(finding(pointer, value, expected, see));
  }

  /** Notes a violation as it is. */
  add(violation: Violation): void {
    if (!this.full()) this.violations.push(violation);
  }

  /** Whether the list has no room; if so, there is one more violation than it holds. */
  private full(): boolean {
    if (this.violations.length < MOST) return false;
    this.more = true;
    return true;
  }

  /** Notes a warning. */
  warn(pointer: string, value: unknown, expected: Expected, see: string): void {
    this.warningCount++;
    if (this.warned.length < MOST) this.warned.push(finding(pointer, value, expected, see));
  }

  /** Refuses a path that is not absolute. */
  absolute(pointer: string, path: string, see: string): void {
    if (!path.startsWith('/')) this.refuse(pointer, path, 'be an absolute path', see);
  }

  /** Refuses entries that are no `NAME=value`. */
  environment(pointer: string, env: readonly string[] | undefined, see: string): void {
    env?.forEach((entry, i) => {
      if (entry.indexOf('=') < 1) this.refuse(`${pointer}/${i}`, entry, 'have the form NAME=value', see);
    });
  }
}

function finding(pointer: string, value: unknown, expected: Expected, see: string): Violation {
  const text = typeof expected === 'string' ? expected : expected();
  const page = /^[a-z-]+\.md/.test(see) ? `runtime-spec ${see}` : see;
  return { pointer, ...(value !== undefined && { value }), expected: text, ...(page && { see: page }) };
}

/** How many violations there are, in a sentence: `a violation`, `3 violations`, `more than 100 violations`. */
export function countOf(violations: readonly Violation[], more: boolean): string {
  if (more) return `more than ${violations.length} violations`;
  return violations.length === 1 ? 'a violation' : `${violations.length} violations`;
}

/** What a command prints for a warning. */
export function warningSentence({ pointer, value, expected }: Violation): string {
  return clipped(`${pointer} should ${expected}${value === undefined ? '' : `, found ${JSON.stringify(value)}`}`);
}

/** `; did you mean "…"?` when a known name is near, else nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
