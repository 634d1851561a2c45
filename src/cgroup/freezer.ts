/** The freezer of a container's cgroups: v1 `freezer.state`, v2 `cgroup.freeze` (cgroups(7)). */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { checkMounted } from './facts.js';

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
    const there = native.access(file, 0);
    if (there === -E.ENOENT) {
      checkMounted([directory]);
      continue;
    }
    // Reading it names the error of one that cannot be looked at.
    return { directory, file, frozen: 'FROZEN', thawed: 'THAWED', v2: false };
  }
  // The v2 cgroup comes last.
  const directory = directories.at(-1);
  if (directory === undefined) return undefined;
  return { directory, file: `${directory}/cgroup.freeze`, frozen: '1', thawed: '0', v2: true };
}

/**
 * What a freezer's file says; '' when there is none: the cgroup is gone, or the kernel (before 5.2) has no freezer of v2.
 * @throws RuntError ERR_CGROUP when it cannot be read
 */
export function freezerState({ file, directory }: Freezer): string {
  const buffer = new Uint8Array(64);
  const n = native.readFile(AT_FDCWD, file, buffer);
  if (n >= 0) return host.decode(buffer, n).trim();
  if (n === -E.ENOENT || n === -E.ENOTDIR || n === -E.ENODEV) {
    checkMounted([directory]);
    return '';
  }
  throw new RuntError({ code: 'ERR_CGROUP', message: `read ${file}`, path: file, errno: -n, syscall: 'read' });
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

/**
 * Thaws, so that what was killed can end: a frozen process of v1 takes no signal.
 * @throws RuntError ERR_CGROUP when it stays frozen
 */
export function thaw(directories: readonly string[]): void {
  const freezer = freezerOf(directories);
  const r = freezer ? setFreezer(freezer, freezer.thawed) : 0;
  if (!freezer || r === 0 || ['', freezer.thawed].includes(freezerState(freezer))) return;
  const { file, thawed } = freezer;
  throw new RuntError({ code: 'ERR_CGROUP', message: `write "${thawed}" to ${file}`, path: file, errno: -r });
}
