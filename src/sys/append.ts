/** Lists and bytes, one after the other. */

/**
 * Appends the entries of `more` to `list`. A spread, `push(…more)`, passes each entry as an argument: QuickJS accepts
 * at most 65,534, Node.js as many as fit its stack, and the config's author controls the length of its lists.
 */
export function append<T>(list: T[], more: readonly T[]): void {
  for (const entry of more) list.push(entry);
}

/** The bytes of all parts, one after the other. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
