/** Sizes in bytes, as people write them. */

/**
 * As Go's units.RAMInBytes: an optional fraction, `k` to `p` in steps of 1024, an `i` and a `b`, in any case; and -1.
 */
export function parseBytes(text: string): bigint | undefined {
  if (text === '-1') return -1n;
  const match = /^([0-9]{1,20})(\.[0-9]{1,9})? ?([kmgtp])?i?b?$/.exec(text.toLowerCase());
  if (!match) return undefined;
  const factor = 1024n ** BigInt(match[3] === undefined ? 0 : 'kmgtp'.indexOf(match[3]) + 1);
  const whole = BigInt(match[1]!) * factor;
  const fraction = match[2]?.slice(1) ?? '';
  return fraction === '' ? whole : whole + (BigInt(fraction) * factor) / 10n ** BigInt(fraction.length);
}
