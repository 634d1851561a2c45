/** Text cut to a readable length. */

/** Limit for a part of a message, in characters: a path may have PATH_MAX, a key of a config megabytes. */
const MOST = 5000;

/** Cuts a part of a report: log lines and gRPC headers must not grow without a limit. */
export function clipped(text: string, most = MOST): string {
  if (text.length <= most) return text;
  // Do not split a surrogate pair.
  return `${text.slice(0, most - 3).replace(/[\ud800-\udbff]$/, '')}…`;
}
