/** What the rules find in a config: what makes it invalid, and what only deserves a word. */
import type { Violation } from '../sys/error.js';
import { nearest } from '../sys/nearest.js';

export class Findings {
  /** What the spec or the kernel forbids. */
  readonly violations: Violation[] = [];
  /** What the spec advises against, or tells runtimes to accept with a warning. */
  readonly warnings: Violation[] = [];

  /** Notes a violation. `see` is a page of the runtime-spec, or a man page (`rlimits(2)`). */
  refuse(pointer: string, value: unknown, expected: string, see: string): void {
    this.violations.push(finding(pointer, value, expected, see));
  }

  /** Notes a warning. */
  warn(pointer: string, value: unknown, expected: string, see: string): void {
    this.warnings.push(finding(pointer, value, expected, see));
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

function finding(pointer: string, value: unknown, expected: string, see: string): Violation {
  const page = see.includes('.md') ? `runtime-spec ${see}` : see;
  return value === undefined ? { pointer, expected, see: page } : { pointer, value, expected, see: page };
}

/** `; did you mean "…"?` when a known name is near, else nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = name.length < 3 ? undefined : nearest(name, known);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
