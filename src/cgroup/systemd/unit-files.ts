/** Files of a unit's cgroup that systemd also writes: at each change of the unit and at each daemon-reload. */
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

/** The content of each file; without those that do not exist. */
export function readUnitFiles(directory: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    const text = tryReadText(`${directory}/${file}`);
    if (text !== undefined) found.set(file, text);
  }
  return found;
}

/**
 * Restores files to their content before a call to systemd. Their content counts, whoever wrote it, not the config.
 * @param changed files that the caller changes on purpose
 * @returns the files that rejected the write
 */
export function restoreUnitFiles(
  directory: string,
  before: ReadonlyMap<string, string>,
  changed: ReadonlySet<string>,
): readonly string[] {
  return [...before]
    .filter(([file, text]) => !changed.has(file) && tryReadText(`${directory}/${file}`) !== text)
    .filter(([file, text]) => {
      // The kernel accepts one line per write; an empty list of CPUs is an empty line.
      const lines = text.split('\n').filter((line) => line !== '');
      for (const line of lines.length === 0 ? ['\n'] : lines)
        if (native.writeFile(AT_FDCWD, `${directory}/${file}`, 0, 0, host.encode(line)) < 0) return true;
      return false;
    })
    .map(([file]) => file);
}

/** The files as settings, from which the unit's properties are made. */
export const settingsOf = (contents: ReadonlyMap<string, string>): Setting[] =>
  [...contents].map(([file, text]) => ({ controller: '', file, value: text.trim(), at: '' }));
