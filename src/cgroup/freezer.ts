/** The freezer of a container's cgroups: v1 `freezer.state`, v2 `cgroup.freeze` (cgroups(7)). */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { tryListDir, tryStat } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, S_IFDIR, S_IFMT } from '../sys/linux.js';
import { checkMounted, hierarchyVersion, isCgroup } from './cgroup-facts.js';

/** The file that freezes the container, and its two values. */
export interface Freezer {
  readonly directory: string;
  readonly file: string;
  readonly frozen: string;
  readonly thawed: string;
  readonly v2: boolean;
}

/**
 * The freezer among a container's cgroup directories; undefined if there is none. In the hybrid layout it is v1's: the
 * v2 cgroup holds the same processes, but engines read v1. Only cgroups of the v1 freezer have a `freezer.state`, and
 * only v2's file system is cgroup2; the directory's name does not matter.
 * @throws RuntError ERR_CGROUP when the freezer cannot be found: a file cannot be accessed, or a hierarchy is no longer
 * mounted
 */
export function freezerOf(directories: readonly string[]): Freezer | undefined {
  let unknown: RuntError | undefined;
  for (const directory of likelyFirst(directories)) {
    const freezer = { directory, file: `${directory}/freezer.state`, frozen: 'FROZEN', thawed: 'THAWED', v2: false };
    const there = native.access(freezer.file, 0);
    if (there >= 0 && isCgroup(directory)) return freezer;
    if (there < 0 && there !== -E.ENOENT && there !== -E.ENOTDIR) unknown ??= readError(freezer.file, there);
  }
  if (unknown) throw unknown;
  checkMounted(directories);
  const directory = directories.find((path) => hierarchyVersion(path) === 2) ?? directories.at(-1);
  // The last directory may be gone too, as after a removal: then the read of its file returns ''.
  if (directory === undefined || hierarchyVersion(directory) === 1) return undefined;
  return { directory, file: `${directory}/cgroup.freeze`, frozen: '1', thawed: '0', v2: true };
}

/** v1's hierarchies have the names of their controllers on nearly every host: one look instead of one at each. */
function likelyFirst(directories: readonly string[]): readonly string[] {
  const likely = directories.find((directory) => directory.includes('/freezer/'));
  return likely === undefined ? directories : [likely, ...directories.filter((directory) => directory !== likely)];
}

/**
 * The content of a freezer's file; '' if it does not exist: the cgroup was removed, or the kernel (before 5.2) has no
 * v2 freezer.
 * @throws RuntError ERR_CGROUP when it cannot be read
 */
export function freezerState({ file, directory }: Pick<Freezer, 'file' | 'directory'>): string {
  const buffer = new Uint8Array(64);
  const n = native.readFile(AT_FDCWD, file, buffer);
  if (n >= 0) return host.decode(buffer, n).trim();
  if (n === -E.ENOENT || n === -E.ENOTDIR || n === -E.ENODEV) {
    checkMounted([directory]);
    return '';
  }
  throw readError(file, n);
}

const readError = (file: string, result: number): RuntError =>
  new RuntError({ code: 'ERR_CGROUP', message: `read ${file}`, path: file, errno: -result, syscall: 'read' });

/** Whether the cgroups' processes are frozen; FREEZING does not count. */
export function isFrozen(directories: readonly string[]): boolean {
  const freezer = freezerOf(directories);
  return freezer !== undefined && freezerState(freezer) === freezer.frozen;
}

/**
 * The freezer of the cgroups if they are frozen or freezing, by themselves or by an ancestor; undefined otherwise.
 * @throws RuntError ERR_CGROUP
 */
export function findFrozen(directories: readonly string[]): Freezer | undefined {
  const freezer = freezerOf(directories);
  return freezer && freezes(freezer) ? freezer : undefined;
}

function freezes(freezer: Freezer): boolean {
  const { directory, v2 } = freezer;
  const state = freezerState(v2 ? { directory, file: `${directory}/cgroup.events` } : freezer);
  return /FR|frozen 1/.test(state);
}

/** `isFrozen` or `findFrozen`, with one search for the freezer. */
export function isFrozenOrFreezing(directories: readonly string[]): boolean {
  const freezer = freezerOf(directories);
  if (!freezer) return false;
  return freezes(freezer) || (freezer.v2 && freezerState(freezer) === freezer.frozen);
}

/** Writes one of the freezer's two values. @returns 0 or -errno */
export function setFreezer({ file }: Freezer, state: string): number {
  return Math.min(0, native.writeFile(AT_FDCWD, file, 0, 0, host.encode(state)));
}

/**
 * Thaws, so that killed processes can end: a frozen process of v1 handles no signal. On v1 the cgroups below may be
 * frozen by themselves (by a container that can write the freezer's cgroup, or by an engine in it).
 * @throws RuntError ERR_CGROUP when it stays frozen
 */
export function thaw(directories: readonly string[]): void {
  const freezer = freezerOf(directories);
  if (!freezer) return;
  thawOne(freezer);
  if (!freezer.v2) thawBelow(freezer);
}

function thawOne(freezer: Freezer): void {
  const r = setFreezer(freezer, freezer.thawed);
  if (r === 0 || ['', freezer.thawed].includes(freezerState(freezer))) return;
  const { file, thawed } = freezer;
  throw new RuntError({ code: 'ERR_CGROUP', message: `write "${thawed}" to ${file}`, path: file, errno: -r });
}

function thawBelow(above: Freezer): void {
  for (const name of tryListDir(above.directory) ?? []) {
    const directory = `${above.directory}/${name}`;
    if (((tryStat(directory)?.mode ?? 0) & S_IFMT) !== S_IFDIR) continue;
    const freezer = { ...above, directory, file: `${directory}/freezer.state` };
    thawOne(freezer);
    thawBelow(freezer);
  }
}
