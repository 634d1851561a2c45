/** Findings of the rules in a config: violations and warnings. */

import type { Violation } from '../../sys/error.js';
import { nearestWord } from '../../sys/nearest-word.js';
import { clipped, withFound } from '../../sys/report/clipped-text.js';

/**
 * Limit on listed violations and on warnings: no one reads more, and the text of millions would use up a server's
 * memory.
 */
const MAX_FINDINGS = 100;

/** Expected value; a function if the text is costly, called only for listed findings. */
type Expected = string | (() => string);

export class Findings {
  /** Violations of the spec or of the kernel's rules, the first `MAX_FINDINGS`. */
  readonly violations: Violation[] = [];
  /** Whether there are more violations than are listed. */
  more = false;
  private readonly warned: Violation[] = [];
  private warningCount = 0;
  private violationCount = 0;

  /**
   * Values that the spec advises against, or accepts with a warning. The last warning counts those that are not listed.
   */
  get warnings(): readonly Violation[] {
    const rest = this.warningCount - this.warned.length;
    if (rest === 0) return this.warned;
    return [...this.warned, { pointer: '', expected: `be corrected: ${rest} more warnings are not listed` }];
  }

  /** Violations and warnings so far, those that are not listed included: a rule without any leaves it unchanged. */
  get count(): number {
    return this.violationCount + this.warningCount;
  }

  /** Records a violation. `see` is a page of the runtime-spec, or a man page (`rlimits(2)`). */
  refuse(pointer: string, value: unknown, expected: Expected, see: string): void {
    if (this.isFull()) return;
    this.violations.push(finding(pointer, value, expected, see));
  }

  /** Records a violation unchanged. */
  add(violation: Violation): void {
    if (!this.isFull()) this.violations.push(violation);
  }

  /** Whether the list is full; if so, records that there are more violations. */
  private isFull(): boolean {
    this.violationCount++;
    if (this.violations.length < MAX_FINDINGS) return false;
    this.more = true;
    return true;
  }

  /** Records a warning. */
  warn(pointer: string, value: unknown, expected: Expected, see: string): void {
    this.warningCount++;
    if (this.warned.length < MAX_FINDINGS) this.warned.push(finding(pointer, value, expected, see));
  }

  /** Refuses a path that is not absolute. */
  absolute(pointer: string, path: string, see: string): void {
    if (!path.startsWith('/')) this.refuse(pointer, path, 'be an absolute path', see);
  }

  /** Refuses entries that are not `NAME=value`. */
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

/** The number of violations in words: `a violation`, `3 violations`, `more than 100 violations`. */
export function countOf(violations: readonly Violation[], more: boolean): string {
  if (more) return `more than ${violations.length} violations`;
  return violations.length === 1 ? 'a violation' : `${violations.length} violations`;
}

/** Text of a warning, as commands print it. */
export function warningSentence({ pointer, value, expected }: Violation): string {
  const found = value === undefined ? '' : `, found ${JSON.stringify(value)}`;
  return clipped(`${pointer} should ${withFound(expected, found)}`);
}

/**
 * What is expected of an unknown property. `otherCase` is the known name that differs in the case of letters alone,
 * `near` a similar one.
 */
export function propertyExpectation(otherCase: string | undefined, near: string | undefined): string {
  if (otherCase !== undefined)
    return `be written "${otherCase}": in another case it has no effect, unlike with runc, which takes any`;
  return `be a property of the runtime-spec${near === undefined ? '' : `; did you mean "${near}"?`}`;
}

/** `; did you mean "…"?` if a known name is similar, or is the name with a prefix such as RLIMIT_; else ''. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = known.find((word) => word.endsWith(`_${name}`)) ?? nearestWord(name, known);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
