/** The scope of a container, as systemd and the kernel report it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bed, Result } from './bed.js';

/** Some properties of a unit, from systemd. */
export function shown(unit: string, ...names: string[]): { [name: string]: string } {
  const r = spawnSync('systemctl', ['show', unit, ...names.map((n) => `--property=${n}`)], { encoding: 'utf8' });
  return Object.fromEntries(
    r.stdout
      .trim()
      .split('\n')
      .sort()
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
export const loaded = (unit: string): string => shown(unit, 'LoadState').LoadState!;
export const directory = (unit: string): string => `/sys/fs/cgroup/system.slice/${unit}`;
export const value = (unit: string, file: string): string => readFileSync(join(directory(unit), file), 'utf8').trim();

/** Creates the bed's container in a scope. */
export function create(bed: Bed, ...flags: string[]): Result {
  bed.config.process.terminal = false;
  bed.write();
  return bed.runt([
    '--unsafe-annotations=allow',
    '--systemd-cgroup',
    'create',
    ...flags,
    '--bundle',
    bed.bundle,
    bed.id,
  ]);
}
