/**
 * Text from a config on a terminal. A bundle may come from a stranger: control characters and the marks that reorder
 * text (Trojan Source, CVE-2021-42574) are shown as escapes, never sent.
 */

/** Control characters, surrogates that stand alone, and marks that are not seen or that reorder text. */
const UNSAFE = /[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * Text with everything that moves a cursor, ends a line or reorders text as \u escapes, and bytes that are not UTF-8 as
 * \x escapes.
 */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code >= 0xdc80 && code <= 0xdcff
      ? `\\x${(code - 0xdc00).toString(16)}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** The same, in quotes when it would not read as one word. */
export function word(text: string): string {
  const safe = printable(text);
  return safe === '' || safe !== text || /[\s"'\\]/.test(text) ? `"${safe.replaceAll('"', '\\"')}"` : text;
}
