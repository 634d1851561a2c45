/** Durations in Go's syntax (`5s`, `1m30s`, `100ms`), as engines write them. */

/** Nanoseconds, of which each unit has a whole number. */
const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** The longest time limit of a supervisor, in ms: LIMIT_TIME_MAX of native/init/supervisor/request.c. */
export const longestTime = 300 * 366 * 24 * 3600 * 1000;

/**
 * Milliseconds; undefined for a duration that is invalid, negative or longer than 300 years. A number without a unit is
 * seconds.
 */
export function parseDuration(text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return 1000 * Number(text);
  let sum = 0;
  let rest = text.startsWith('+') ? text.slice(1) : text;
  if (rest === '') return undefined;
  while (rest !== '') {
    const number = take(rest, (c) => (c >= '0' && c <= '9') || c === '.');
    rest = rest.slice(number.length);
    const unit = take(rest, (c) => !((c >= '0' && c <= '9') || c === '.'));
    rest = rest.slice(unit.length);
    const factor = Object.hasOwn(units, unit) ? units[unit]! : undefined;
    const value = number === '' || number === '.' ? Number.NaN : Number(number);
    if (factor === undefined || Number.isNaN(value)) return undefined;
    // Rounded: 4.35 * 60 is not 261.
    sum += Math.round(value * factor);
  }
  const ms = sum / 1e6;
  return ms <= longestTime ? ms : undefined;
}

/** A duration in seconds; undefined if it is invalid, has a fraction of a second, or has more than nine digits. */
export function parseSeconds(text: string): number | undefined {
  const seconds = (parseDuration(text) ?? Number.NaN) / 1000;
  return Number.isInteger(seconds) && seconds < 1e9 ? seconds : undefined;
}

function take(text: string, wanted: (character: string) => boolean): string {
  let end = 0;
  while (end < text.length && wanted(text[end]!)) end++;
  return text.slice(0, end);
}
