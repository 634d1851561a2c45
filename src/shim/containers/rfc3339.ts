/** Times as text (RFC 3339), read back. */

const SECONDS_A_DAY = 86_400;

/** Nanoseconds since 1970 of a time in UTC; undefined for any other text. */
export function nanosecondsOf(text: string): bigint | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?Z$/.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const seconds = daysSince1970(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
  return BigInt(seconds) * 1_000_000_000n + BigInt((match[7] ?? '').padEnd(9, '0'));
}

/** Days of a Gregorian date, by years that begin in March: a leap day is the last of its year. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const beforeMonth = Math.floor((153 * ((month + 9) % 12) + 2) / 5);
  const before1970 = 719_468;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + beforeMonth + day - 1 - before1970;
}
