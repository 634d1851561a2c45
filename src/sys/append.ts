/** Growing a list by another one. */

/**
 * Appends the entries of `more` to `list`. A spread, `push(…more)`, passes each of them as an argument, of which QuickJS
 * takes at most 65,534 and Node.js as many as fit its stack; how long a list of the config is, its author decides.
 */
export function append<T>(list: T[], more: readonly T[]): void {
  for (const entry of more) list.push(entry);
}
