/** Environment variables, as entries `NAME=VALUE`. */

const variableName = (entry: string): string => entry.split('=', 1)[0]!;

/** Replaces entries of `base` by those of `more` with the same name; the last of several in `more` counts. */
export function withVariables(base: readonly string[], more: readonly string[]): string[] {
  const last = new Map<string, string>();
  for (const entry of more) {
    const name = variableName(entry);
    last.delete(name);
    last.set(name, entry);
  }
  return [...base.filter((entry) => !last.has(variableName(entry))), ...last.values()];
}
