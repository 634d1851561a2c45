/** Text cut to what a person reads. */

/** Characters of a part of a message: a path may have PATH_MAX of them, a key of a config megabytes. */
const MOST = 5000;

/** A part of a report, cut to what a person reads: whole lines of a log and gRPC's headers are bounded too. */
export function clipped(text: string, most = MOST): string {
  if (text.length <= most) return text;
  // Not between the two halves of a character.
  return `${text.slice(0, most - 3).replace(/[\ud800-\udbff]$/, '')}…`;
}
