/** Times in a readable form: `2026-11-29 03:04:35 UTC (5 min ago)`. */

/** Seconds since 1970 of an RFC 3339 time in UTC; undefined for any other text. */
export function secondsOf(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z$/.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // Count years from March, so that a leap day is the last day of its year.
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

/** Formats an RFC 3339 time; returns any other text unchanged. @param now seconds since 1970 */
export function readableTime(text: string, now: number): string {
  const then = secondsOf(text);
  if (then === undefined) return text;
  const plain = `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
  const age = now - then;
  const [seconds, name] = units.find(([size]) => age >= size) ?? [1, 's'];
  return age < 0 ? plain : `${plain} (${Math.floor(age / seconds)} ${name} ago)`;
}
