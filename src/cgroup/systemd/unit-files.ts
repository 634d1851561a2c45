/** Files of a unit's cgroup that systemd writes too: at each change of the unit, and when it reads its units anew. */
import { tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { Setting } from '../settings/setting.js';

const files: readonly string[] = [
  'cpu.weight',
  'cpu.idle',
  'cpu.max',
  'cpuset.cpus',
  'cpuset.mems',
  'io.weight',
  'io.max',
  'memory.min',
  'memory.low',
  'memory.high',
  'memory.max',
  'memory.swap.max',
  'memory.zswap.max',
  'memory.zswap.writeback',
  'memory.oom.group',
  'pids.max',
];

/** What each of the files holds; one that is not there is left out. */
export function readUnitFiles(directory: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    const text = tryReadText(`${directory}/${file}`);
    if (text !== undefined) found.set(file, text);
  }
  return found;
}

/**
 * Gives files what they held before a call to systemd: what stood there counts, whoever wrote it, not the config.
 * @param changed files that the caller means to have other values
 * @returns those that would not take it
 */
export function putBack(
  directory: string,
  before: ReadonlyMap<string, string>,
  changed: ReadonlySet<string>,
): readonly string[] {
  return [...before]
    .filter(([file, text]) => !changed.has(file) && tryReadText(`${directory}/${file}`) !== text)
    .filter(([file, text]) => {
      // The kernel takes one line in each write; an empty list of CPUs is an empty line.
      const lines = text.split('\n').filter((line) => line !== '');
      for (const line of lines.length === 0 ? ['\n'] : lines)
        if (native.writeFile(AT_FDCWD, `${directory}/${file}`, 0, 0, host.encode(line)) < 0) return true;
      return false;
    })
    .map(([file]) => file);
}

/** The files as settings, of which the properties of the unit are made. */
export const settingsOf = (held: ReadonlyMap<string, string>): Setting[] =>
  [...held].map(([file, text]) => ({ controller: '', file, value: text.trim(), at: '' }));
