/** Timestamps as text. The QuickJS host has no Date: it would slow down each start, and few commands need it. */

const SECONDS_A_DAY = 86400;

/** RFC 3339 in UTC with nanoseconds, from nanoseconds since 1970 (≥ 0). */
export function timestamp(ns: bigint): string {
  const seconds = Number(ns / 1000000000n);
  const time = seconds % SECONDS_A_DAY;
  const clock = [Math.floor(time / 3600), Math.floor(time / 60) % 60, time % 60].map((n) => digits(n, 2)).join(':');
  return `${date(Math.floor(seconds / SECONDS_A_DAY))}T${clock}.${String(ns % 1000000000n).padStart(9, '0')}Z`;
}

/** The Gregorian date of a day, counted from 1970-01-01. */
function date(day: number): string {
  let year = 1970;
  let rest = day;
  while (rest >= daysInYear(year)) rest -= daysInYear(year++);
  let month = 0;
  for (; rest >= daysInMonth(month, year); month++) rest -= daysInMonth(month, year);
  return `${digits(year, 4)}-${digits(month + 1, 2)}-${digits(rest + 1, 2)}`;
}

const isLeapYear = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const daysInYear = (year: number): number => (isLeapYear(year) ? 366 : 365);
const daysInMonth = (month: number, year: number): number =>
  month === 1 ? daysInYear(year) - 337 : 31 - ((month % 7) % 2);
const digits = (n: number, width: number): string => String(n).padStart(width, '0');
