/** A failure as a person reads it. Apart from its class, which every command loads. */

import type { RuntError } from '../error.js';
import { clipped } from './clipped-text.js';

/** The whole report: the sentence, then `at`, `why` and `see` lines. */
export function reportOf(e: RuntError): string {
  const lines = [clipped(e.message)];
  for (const { pointer, value, expected, see } of e.violations ?? []) {
    const found = value === undefined ? '' : `, found ${brief(value)}`;
    lines.push(`  at  ${clipped(pointer || '/')} must ${clipped(expected)}${found}${see ? ` (${see})` : ''}`);
  }
  if (e.pointer !== undefined) {
    const value = e.value === undefined ? '' : `  ${brief(e.value)}`;
    lines.push(`  at  ${clipped(e.pointer || '/')} in ${e.document ?? 'config.json'}${value}`);
  }
  if (e.hint) lines.push(`  why ${clipped(e.hint)}`);
  if (e.see) lines.push(`  see ${e.see}`);
  return lines.join('\n');
}

/** Characters of a value in a line of a report. */
const MOST_OF_VALUE = 160;

/** JSON of a value, cut to what fits a line. An integer that no double holds is a number there, as in the config. */
function brief(value: unknown): string {
  // JSON.stringify has no form for it: it stands between characters that no other text has unescaped.
  const marked = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `\u0001${v}\u0001` : v)) ?? String(value);
  const json = marked.replace(/"\\u0001(-?\d+)\\u0001"/g, (_, digits: string) => digits);
  return clipped(json, MOST_OF_VALUE);
}
