/** One value for one file of a cgroup, and how values of the config are written down for the kernel. */
import type { Int } from '../spec/types.js';
import { RuntError } from '../sys/error.js';

export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** JSON pointer of the config value. */
  readonly at: string;
}

/** Given and not 0. In runc, and so for every engine, 0 is "not set" in those limits where 0 would make no sense. */
export function isSet(value: Int | undefined): value is Int {
  return value !== undefined && value !== null && BigInt(value) !== 0n;
}

export function unsupported(pointer: string, value: unknown, why: string): RuntError {
  return new RuntError({ code: 'ERR_UNSUPPORTED', message: why, pointer, value });
}

/** Values that contradict each other or that the kernel cannot have. */
export function badValue(pointer: string, value: unknown, why: string): RuntError {
  return new RuntError({ code: 'ERR_CGROUP_VALUE', message: why, pointer, value });
}
