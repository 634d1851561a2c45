/** The report of a RuntError, in a file apart from the class, which every command loads. */

import type { RuntError } from '../error.js';
import { clipped, withFound } from './clipped-text.js';

/** The whole report: the sentence, then `at`, `fix` and `see` lines. */
export function reportOf(e: RuntError): string {
  const lines = [line(e.message)];
  for (const { pointer, value, expected, see } of e.violations ?? []) {
    const found = value === undefined ? '' : `, found ${clippedJson(value)}`;
    lines.push(`  at  ${line(pointer || '/')} must ${withFound(line(expected), found)}${see ? ` (${see})` : ''}`);
  }
  if (e.pointer !== undefined) {
    const value = e.value === undefined ? '' : `  ${clippedJson(e.value)}`;
    lines.push(`  at  ${line(e.pointer || '/')} in ${e.document ?? 'config.json'}${value}`);
  }
  if (e.hint) lines.push(`  fix ${line(e.hint)}`);
  if (e.see) lines.push(`  see ${e.see}`);
  return lines.join('\n');
}

/** Text for one line: a line break in a value of the config would forge other lines of the report. */
const line = (text: string): string => clipped(text).replaceAll('\n', '\\u000a');

/** Limit for a value in a line of a report, in characters. */
const MAX_VALUE_LENGTH = 160;

/** JSON of a value, cut to fit a line. A bigint appears as a number, as in the config. */
function clippedJson(value: unknown): string {
  // JSON.stringify cannot print a bigint: mark it with a character that JSON escapes, then remove the marks.
  const marked = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `\u0001${v}\u0001` : v)) ?? String(value);
  const json = marked.replace(/"\\u0001(-?\d+)\\u0001"/g, (_, digits: string) => digits);
  return clipped(json, MAX_VALUE_LENGTH);
}
