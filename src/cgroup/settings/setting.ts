/** One value for one file of a cgroup, and how values of the config are written down for the kernel. */
import type { Int, Memory } from '../../spec/config-types.js';
import { segment } from '../../spec/json/json-pointer.js';
import { RuntError } from '../../sys/error.js';

export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** JSON pointer of the config value. */
  readonly at: string;
  /** Files of other kernels for the same thing: the first one that is there is written. */
  readonly others?: readonly { readonly file: string; readonly value: string }[];
  /** It is fine when none of the files is there. */
  readonly optional?: boolean;
}

/** What a setting can need to know of a cgroup that is in use; a new one has nothing to be asked for. */
export interface LiveCgroup {
  /** The text of a file of the cgroup that holds the controller (`memory` of `memory.max`), trimmed; '' when it is not there. */
  read(file: string): string;
}

/** The setting of a member below `at`. The file's name begins with that of its controller. */
export function settingOf(at: string, key: string, file: string, value: unknown): Setting {
  return { controller: file.slice(0, file.indexOf('.')), file, value: String(value), at: `${at}/${key}` };
}

/** JSON pointer to a key below `at`. */
export function below(at: string, key: string): string {
  return `${at}/${segment(key)}`;
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

/** `checkBeforeUpdate`: refuses limits that are not above what `file` says is in use. Throws ERR_CGROUP_VALUE. */
export function checkUsage(m: Memory, at: string, live: LiveCgroup, file: string): void {
  if (!m.checkBeforeUpdate) return;
  const usage = BigInt(live.read(file) || 0);
  for (const key of ['limit', 'swap'] as const) {
    const value = m[key];
    if (!isSet(value) || value < 0 || BigInt(value) > usage) continue;
    throw badValue(`${at}/${key}`, value, `the new limit is not above the ${usage} bytes of memory that are in use`);
  }
}
