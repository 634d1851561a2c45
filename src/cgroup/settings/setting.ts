/** A value for a file of a cgroup, and the config's values as the kernel reads them. */
import type { Int, Memory } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import { RuntError } from '../../sys/error.js';

export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** JSON pointer of the config value. */
  readonly at: string;
  /** Files with the same meaning on other kernels: the first one that exists is written. */
  readonly others?: readonly { readonly file: string; readonly value: string }[];
  /** Skip the setting if none of the files exists. */
  readonly optional?: boolean;
}

/** Reads the current values of a cgroup in use; a new cgroup has none. */
export interface LiveCgroup {
  /** Trimmed text of a file in the cgroup of its controller (`memory` of `memory.max`); '' if it does not exist. */
  read(file: string): string;
}

/** The setting of a member below `at`. The file's name begins with its controller. */
export function settingOf(at: string, key: string, file: string, value: unknown): Setting {
  return { controller: file.slice(0, file.indexOf('.')), file, value: String(value), at: `${at}/${key}` };
}

/** JSON pointer to a key below `at`. */
export function pointerBelow(at: string, key: string): string {
  return `${at}/${escapeSegment(key)}`;
}

/** Present and not 0. In runc, and so for every engine, 0 means "not set" for limits where 0 would make no sense. */
export function isSet(value: Int | undefined): value is Int {
  return value !== undefined && value !== null && BigInt(value) !== 0n;
}

export function unsupportedError(pointer: string, value: unknown, why: string): RuntError {
  return new RuntError({ code: 'ERR_UNSUPPORTED', message: why, pointer, value });
}

/** For values that contradict each other or that the kernel cannot hold. */
export function valueError(pointer: string, value: unknown, why: string): RuntError {
  return new RuntError({ code: 'ERR_SPEC_VALUE', message: why, pointer, value });
}

/** `checkBeforeUpdate`: refuses limits that are not above the usage in `file`. @throws RuntError ERR_SPEC_VALUE */
export function checkUsage(m: Memory, at: string, live: LiveCgroup, file: string): void {
  if (!m.checkBeforeUpdate) return;
  const usage = BigInt(live.read(file) || 0);
  for (const key of ['swap', 'limit'] as const) {
    const value = m[key];
    if (!isSet(value) || value < 0 || BigInt(value) > usage) continue;
    throw valueError(
      `${at}/${key}`,
      value,
      `rejecting ${key === 'limit' ? 'memory' : 'memory+swap'} limit: it is not above the ${usage} bytes that are in use`,
    );
  }
}
