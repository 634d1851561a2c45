/** Text of a config that the kernel cannot take: NUL, lone surrogates, bytes that are no UTF-8. */
import type { Violation } from '../sys/error.js';
import { segment } from './pointer.js';

/** Violations by the strings and keys of a parsed config; `json` are its bytes and `text` their decoded form. */
export function textViolations(json: Uint8Array, text: string, root: unknown): Violation[] {
  const violations: Violation[] = [];
  // Decoding puts U+FFFD for malformed bytes: a path would silently become another one.
  if (text.includes('\ufffd') && count(text) !== countBytes(json)) {
    violations.push({ pointer: '', expected: 'be encoded in UTF-8', see: 'RFC 8259 §8.1' });
  }
  // Both others can only come from an escape.
  if (!text.includes('\\u')) return violations;
  visit(root, (value, pointer, key) => {
    const wrong = problem(key) ?? (typeof value === 'string' ? problem(value) : undefined);
    if (wrong) violations.push({ pointer, value, expected: `be text without ${wrong}` });
  });
  return violations;
}

function problem(text: string): string | undefined {
  if (text.includes('\0')) return 'NUL: the kernel would cut it there';
  // With the flag u a class of surrogates matches lone ones only.
  return /[\ud800-\udfff]/u.test(text) ? 'lone surrogates: it has no UTF-8 form' : undefined;
}

/** Calls `seen` for the value, and for all that is below it, with its pointer and its key ('' for the root). */
export function visit(
  root: unknown,
  seen: (value: unknown, pointer: string, key: string) => void,
  pointer = '',
  key = '',
): void {
  seen(root, pointer, key);
  if (Array.isArray(root)) {
    for (let i = 0; i < root.length; i++) visit(root[i], seen, `${pointer}/${i}`);
  } else if (typeof root === 'object' && root !== null) {
    for (const name of Object.keys(root)) {
      visit((root as Record<string, unknown>)[name], seen, `${pointer}/${segment(name)}`, name);
    }
  }
}

function count(text: string): number {
  let n = 0;
  for (let i = text.indexOf('\ufffd'); i >= 0; i = text.indexOf('\ufffd', i + 1)) n++;
  return n;
}

/** How often U+FFFD itself stands in the bytes, as EF BF BD. */
function countBytes(bytes: Uint8Array): number {
  let n = 0;
  for (let i = bytes.indexOf(0xef); i >= 0; i = bytes.indexOf(0xef, i + 1)) {
    if (bytes[i + 1] === 0xbf && bytes[i + 2] === 0xbd) n++;
  }
  return n;
}
