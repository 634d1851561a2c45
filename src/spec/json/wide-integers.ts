/** Integers that a double cannot hold: exact literals from the native scanner, restored as bigints after JSON.parse. */
import { int64, uint64 } from '../../../build/gen/fields.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import type { Findings } from '../judge/findings.js';
import { pageOf } from '../judge/schema-violations.js';
import { replaceValueAt, valueAt } from './json-pointer.js';

/** Pairs of JSON pointer and literal. */
export type WideIntegers = readonly (readonly [pointer: string, literal: string])[];

/** Buffer sizes for the scanner's result: for a few integers, for a large config, and for 16 MiB with short names. */
const SIZES = [4096, 1 << 20, 64 << 20];

/**
 * The integers of `json`, a valid JSON text, that a double may have rounded. Empty if a name has no UTF-8 form or holds
 * a NUL. `name` is the text's name in errors.
 * @throws RuntError ERR_SPEC_JSON for a text that is nested too deeply for the recursive walks
 */
export function wideIntegers(json: Uint8Array, name: string): WideIntegers {
  let list = new Uint8Array(0);
  let length = -E.EOVERFLOW as number;
  for (const size of SIZES) {
    if (length !== -E.EOVERFLOW) break;
    list = new Uint8Array(size);
    length = native.wideIntegers(json, list);
  }
  if (length === -E.EILSEQ) return [];
  if (length === -E.ELOOP) throw tooDeepError(name);
  check(length, { code: 'ERR_SPEC_JSON', message: `find the 64-bit integers of ${name}`, syscall: 'wideIntegers' });
  if (length === 0) return [];
  const fields = host.decode(list, length).split('\0');
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([fields[i]!, fields[i + 1]!]);
  return pairs;
}

/** The error for a text that is nested too deeply. */
export const tooDeepError = (name: string): RuntError =>
  new RuntError({
    code: 'ERR_SPEC_JSON',
    message: `${name} is nested deeper than ${Protocol.JSON_DEPTH_MAX} levels`,
    path: name,
  });

/** Writes exact integers into the parsed tree, for fields that are 64-bit integers in the schema. */
export function setWideIntegers(integers: WideIntegers, root: unknown, findings: Findings): void {
  // The schema may have already refused the rounded double.
  const refuse = (pointer: string, value: unknown, expected: string) => {
    if (findings.violations.some((violation) => violation.pointer === pointer)) return;
    findings.add({ pointer, value, expected, see: pageOf(pointer) });
  };
  for (const [pointer, literal] of integers) {
    const range = rangeOf(pointer);
    if (!range) continue; // an unknown property, or one that the schema has refused already
    const found = valueAt(root, pointer);
    // If an object has a key twice, JSON.parse keeps the last value; the scanner reports both.
    if (Number(found) !== Number(literal)) continue;
    if (literal.includes('e') || literal.includes('E')) {
      // Above 2^53 a double skips integers: the intended value is unknown.
      if (!Number.isSafeInteger(found) && Number.isInteger(found)) {
        refuse(pointer, found, 'be written without an exponent');
      }
      continue;
    }
    const value = BigInt(literal);
    replaceValueAt(root, pointer, value);
    if (value < range.min || value > range.max) {
      refuse(pointer, value, `be ${range.min} to ${range.max}`);
    }
  }
}

function rangeOf(pointer: string): { min: bigint; max: bigint } | undefined {
  const path = ` ${pointer.replace(/\/[0-9]+(?=\/|$)/g, '/*')} `;
  if (` ${uint64} `.includes(path)) return { min: 0n, max: 2n ** 64n - 1n };
  if (` ${int64} `.includes(path)) return { min: -(2n ** 63n), max: 2n ** 63n - 1n };
  return undefined;
}
