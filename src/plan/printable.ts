/**
 * Text from a config on a terminal. A bundle may come from a stranger: control characters and the marks that reorder
 * text (Trojan Source, CVE-2021-42574) are shown as escapes, never sent.
 */

/** Text with everything that moves a cursor, ends a line or reorders text as \u escapes. */
export function printable(text: string): string {
  let result = '';
  for (const char of text) {
    result += unsafe(char.codePointAt(0)!) ? `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}` : char;
  }
  return result;
}

/** The same, in quotes when it would not read as one word. */
export function word(text: string): string {
  const safe = printable(text);
  return safe === '' || safe !== text || /[\s"'\\]/.test(text) ? `"${safe.replaceAll('"', '\\"')}"` : text;
}

function unsafe(c: number): boolean {
  return (
    c < 0x20 ||
    (c >= 0x7f && c <= 0x9f) ||
    (c >= 0x200b && c <= 0x200f) ||
    (c >= 0x2028 && c <= 0x202e) ||
    (c >= 0x2060 && c <= 0x2069) ||
    c === 0xfeff
  );
}
