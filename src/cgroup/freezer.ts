/** The freezer of a container's cgroups: v1 `freezer.state`, v2 `cgroup.freeze` (cgroups(7)). */
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';

/** The file that freezes the container, and the words it takes. */
export interface Freezer {
  readonly directory: string;
  readonly file: string;
  readonly frozen: string;
  readonly thawed: string;
  readonly v2: boolean;
}

/**
 * The freezer among a container's cgroup directories; undefined when there is none. In the hybrid layout it is v1's:
 * the v2 cgroup holds the same processes, but engines look at v1 there.
 */
export function freezerOf(directories: readonly string[]): Freezer | undefined {
  for (const directory of directories) {
    // The hierarchy's directory has the names of its controllers: /sys/fs/cgroup/freezer, …/cpu,freezer.
    if (!directory.split('/').some((part) => part === 'freezer' || part.split(',').includes('freezer'))) continue;
    const file = `${directory}/freezer.state`;
    if (native.access(file, 0) === 0) return { directory, file, frozen: 'FROZEN', thawed: 'THAWED', v2: false };
  }
  // The v2 cgroup comes last.
  const directory = directories.at(-1);
  if (directory === undefined) return undefined;
  return { directory, file: `${directory}/cgroup.freeze`, frozen: '1', thawed: '0', v2: true };
}

/** What a freezer's file says; '' when it cannot be read: the cgroup is gone. */
export function freezerState({ file }: Freezer): string {
  const buffer = new Uint8Array(64);
  const n = native.readFile(AT_FDCWD, file, buffer);
  return n > 0 ? host.decode(buffer, n).trim() : '';
}

/** Whether the processes of the cgroups are frozen; one that is still FREEZING is not. */
export function isFrozen(directories: readonly string[]): boolean {
  const freezer = freezerOf(directories);
  return freezer !== undefined && freezerState(freezer) === freezer.frozen;
}

/** Writes one of the freezer's words. @returns 0 or -errno */
export function setFreezer({ file }: Freezer, word: string): number {
  return Math.min(0, native.writeFile(AT_FDCWD, file, 0, 0, host.encode(word)));
}

/** Thaws, so that what was killed can end: a frozen process of v1 takes no signal. */
export function thaw(directories: readonly string[]): void {
  const freezer = freezerOf(directories);
  if (freezer) setFreezer(freezer, freezer.thawed);
}
