/** Appending one list to another. */

/**
 * Appends the entries of `more` to `list`. A spread, `push(…more)`, passes each entry as an argument: QuickJS accepts
 * at most 65,534, Node.js as many as fit its stack, and the config's author controls the length of its lists.
 */
export function append<T>(list: T[], more: readonly T[]): void {
  for (const entry of more) list.push(entry);
}
