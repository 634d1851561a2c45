/** Text of a config that the kernel cannot accept: NUL, lone surrogates, bytes that are not UTF-8. */

import { escapeSegment } from '../json/json-pointer.js';
import { isUtf8, notUtf8 } from '../json/utf8.js';
import type { Findings } from '../judge/findings.js';

/** Refuses such strings and keys of a parsed config; `json` holds its bytes, `text` their decoded form. */
export function textRules(json: Uint8Array, text: string, root: unknown, findings: Findings): void {
  if (!isUtf8(json, text)) findings.add(notUtf8);
  // NUL and lone surrogates can only be in an escape.
  if (text.includes('\\u')) visit(root, [], findings);
}

function problem(text: string): string | undefined {
  if (text.includes('\0')) return 'NUL: the kernel would cut it there';
  // With the flag u, a class of surrogates only matches lone ones.
  return /[\ud800-\udfff]/u.test(text) ? 'lone surrogates: it has no UTF-8 form' : undefined;
}

/** Checks a value and all below it. `path` has its keys: a pointer for each value would cost more. */
function visit(value: unknown, path: string[], findings: Findings): void {
  const wrong = problem(path.at(-1) ?? '') ?? (typeof value === 'string' ? problem(value) : undefined);
  if (wrong) {
    const pointer = path.map((key) => `/${escapeSegment(key)}`).join('');
    findings.add({ pointer, value, expected: `be text without ${wrong}` });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    path.push(key);
    visit((value as Record<string, unknown>)[key], path, findings);
    path.pop();
  }
}
