/** What a target of random-texts is, and inputs that several have. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';

export interface Target<T> {
  readonly inputs: fc.Arbitrary<T>;
  /** Reads the input, and throws an AssertionError if the result is wrong. */
  read(input: T): void | Promise<void>;
  /** Codes of the RuntError that refuses an input. */
  readonly codes: RegExp;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Changes of bytes: position (a part of the length) and new value; -1 cuts the rest off. */
export const changes = fc.array(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: -1, max: 255 })),
  {
    maxLength: 3,
  },
);

export function changed(data: Uint8Array, list: readonly (readonly [number, number])[]): Uint8Array {
  let result = data.slice();
  for (const [part, value] of list) {
    const at = Math.floor(part * result.length);
    if (value < 0) result = result.slice(0, at);
    else if (at < result.length) result[at] = value;
  }
  return result;
}

/** Plans that are written: the decoder reads each in some µs, but each is a file. */
const PLANS = 3000;
const directory = process.argv[4] ?? '';
let plans = 0;

/** Keeps a plan for runt-init's decoder, in the directory that is the third argument of random-texts. */
export function writePlan(bytes: Uint8Array): void {
  if (directory !== '' && plans < PLANS) writeFileSync(join(directory, String(plans++)), bytes);
}

/** How many plans are written. */
export const writtenPlans = (): number => plans;
