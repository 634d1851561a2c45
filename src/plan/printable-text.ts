/** Text from a config, made safe for a terminal. */

/** Control characters, lone surrogates, and marks that are invisible or reorder text. */
const UNSAFE = /[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * Replaces everything that moves a cursor, ends a line or reorders text by \u escapes, and bytes that are not UTF-8 by
 * \x escapes. A bundle may be a stranger's (Trojan Source, CVE-2021-42574).
 */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code >= 0xdc80 && code <= 0xdcff
      ? `\\x${(code - 0xdc00).toString(16)}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** The same, in quotes if it would not read as one word. */
export function word(text: string): string {
  const safe = printable(text);
  return safe === '' || safe !== text || /[\s"'\\]/.test(text) ? `"${safe.replaceAll('"', '\\"')}"` : text;
}
