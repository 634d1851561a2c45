/** Time as text. */

/** RFC 3339 in UTC with nanoseconds, from nanoseconds since 1970. */
export function timestamp(ns: bigint): string {
  const second = new Date(Number(ns / 1000000000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(ns % 1000000000n).padStart(9, '0')}Z`;
}
