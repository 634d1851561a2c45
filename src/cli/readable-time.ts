/** Times for a person: `2026-11-29 03:04:35 UTC (5 min ago)`. */

/** Seconds since 1970 of RFC 3339 in UTC; undefined for another text. */
function secondsOf(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z$/.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // Years that begin in March, so that a leap day is the last one.
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const days = 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

const units: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** A time of the state or of a report; `now` are seconds since 1970. Another text stays as it is. */
export function readableTime(text: string, now: number): string {
  const then = secondsOf(text);
  if (then === undefined) return text;
  const plain = `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
  const age = now - then;
  const [seconds, name] = units.find(([size]) => age >= size) ?? [1, 's'];
  return age < 0 ? plain : `${plain} (${Math.floor(age / seconds)} ${name} ago)`;
}
