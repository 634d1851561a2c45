/**
 * Integers that no double holds. JSON.parse has rounded them; the native scanner gives the exact literals, and here
 * they are put back, as bigints, into the fields that the schema has as 64-bit integers.
 */
import { int64, uint64 } from '../../build/gen/fields.js';
import { E } from '../sys/errno.js';
import { check, type Violation } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { at, replaceAt } from './pointer.js';
import { pageOf } from './schema-violations.js';

/** Places the exact integers of `json` in the tree that it was parsed to. */
export function placeWideIntegers(json: Uint8Array, root: unknown): Violation[] {
  const violations: Violation[] = [];
  for (const [pointer, literal] of wideIntegers(json)) {
    const range = rangeOf(pointer);
    if (!range) continue; // an unknown property, or one that the schema has refused already
    const found = at(root, pointer);
    // Of a key that stands twice in an object JSON.parse keeps the last; the scanner reports both.
    if (Number(found) !== Number(literal)) continue;
    if (literal.includes('e') || literal.includes('E')) {
      // Beyond what a double counts in ones: what was meant cannot be told.
      if (!Number.isSafeInteger(found) && Number.isInteger(found)) {
        violations.push({ pointer, value: found, expected: 'be written without an exponent', see: pageOf(pointer) });
      }
      continue;
    }
    const value = BigInt(literal);
    replaceAt(root, pointer, value);
    if (value < range.least || value > range.most) {
      const expected = `be ${range.least} to ${range.most}`;
      violations.push({ pointer, value, expected, see: pageOf(pointer) });
    }
  }
  return violations;
}

/** Pairs of JSON pointer and literal. */
function wideIntegers(json: Uint8Array): [string, string][] {
  let list = new Uint8Array(4096);
  let length = native.wideIntegers(json, list);
  if (length === -E.EOVERFLOW) {
    // Each literal has at least 16 digits; a pointer repeats keys that stand in the text once, level by level.
    list = new Uint8Array(1 << 20);
    length = native.wideIntegers(json, list);
  }
  check(length, { code: 'ERR_SPEC_JSON', message: 'find the 64-bit integers of config.json', syscall: 'wideIntegers' });
  if (length === 0) return [];
  const fields = host.decode(list, length).split('\0');
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([fields[i]!, fields[i + 1]!]);
  return pairs;
}

function rangeOf(pointer: string): { least: bigint; most: bigint } | undefined {
  const path = ` ${pointer.replace(/\/[0-9]+(?=\/|$)/g, '/*')} `;
  if (` ${uint64} `.includes(path)) return { least: 0n, most: 2n ** 64n - 1n };
  if (` ${int64} `.includes(path)) return { least: -(2n ** 63n), most: 2n ** 63n - 1n };
  return undefined;
}
