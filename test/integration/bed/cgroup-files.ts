/** Every setting of a cgroup v2, to compare before and after an operation that must change none. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Counters, and write-only files. */
const volatile =
  /(?:\.stat|\.stat\.local|\.events|\.events\.local|\.current|\.peak|\.pressure|\.numa_stat|\.kill|\.reclaim|\.procs|\.threads)$/;

/** The content of each writable file, except counters. */
export function cgroupSettings(directory: string): { [file: string]: string } {
  const found: { [file: string]: string } = {};
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    const { mode } = statSync(path);
    if ((mode & 0o170000) !== 0o100000 || (mode & 0o222) === 0 || volatile.test(name)) continue;
    try {
      found[name] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      // Some files cannot be read without a device, or on this kernel.
      found[name] = String((error as NodeJS.ErrnoException).code);
    }
  }
  return found;
}
