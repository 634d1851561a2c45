/** Text cut to a readable length. */

/** Limit for a part of a message, in characters: a path may have PATH_MAX, a key of a config megabytes. */
const MAX_LENGTH = 5000;

/** Cuts a part of a report: log lines and gRPC headers must not grow without a limit. */
export function clipped(text: string, max = MAX_LENGTH): string {
  if (text.length <= max) return text;
  // Do not split a surrogate pair.
  return `${text.slice(0, max - 3).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** What a value must be, and the value that was found: before a suggestion, whose question ends the sentence. */
export const withFound = (expected: string, found: string): string =>
  expected.replace(/(?=; did you mean )|$/, () => found);
