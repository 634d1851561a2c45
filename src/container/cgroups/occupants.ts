/** Processes in a container's cgroups that outlive its pid namespace, for `delete --force`; loaded on demand. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { ownCgroups } from '../../cgroup/cgroup-paths.js';
import { pidsIn } from '../../cgroup/cgroup-processes.js';
import { thaw } from '../../cgroup/freezer.js';
import { isAtOrBelow } from '../../plan/container-path.js';
import { RuntError } from '../../sys/error.js';
import { SIGKILL } from '../../sys/linux.js';
import { pollUntil } from '../../sys/waiting/loop.js';
import { killedOccupantsTime } from '../../sys/waiting/time-limits.js';
import { names } from '../list.js';
import { type ContainerRecord, loadRecord } from '../state/state-store.js';
import { killAll } from './kill-all.js';

/**
 * Kills everything in the cgroups and below. The kernel kills a whole tree (cgroup.kill), even if ancestors are frozen.
 * @throws RuntError ERR_CGROUP_BUSY if that would kill more than the container: this process is in one of them, or
 * another container of the root is below
 */
export async function endOccupants(root: string, id: string, cgroups: readonly string[]): Promise<void> {
  checkExclusive(root, id, cgroups);
  await pollUntil(() => {
    killAll(cgroups, SIGKILL);
    thaw(cgroups);
    return cgroups.every((path) => pidsIn(path, true).length === 0);
  }, killedOccupantsTime);
}

/**
 * Whether the end of a foreground container may kill everything in its cgroups and its unit. If not, warns why, and the
 * container stays stopped until `delete`.
 */
export function mayKillCgroups(o: ForegroundRun, { cgroups, unit }: ContainerRecord): boolean {
  try {
    checkExclusive(o.root, o.id, cgroups, unit?.name);
    return true;
  } catch (error) {
    if (!(error instanceof RuntError) || error.code !== 'ERR_CGROUP_BUSY') throw error;
    o.warn(`${error.message}; the container stays until it is deleted: ${error.hint}`);
    return false;
  }
}

interface ForegroundRun {
  readonly root: string;
  readonly id: string;
  readonly warn: (sentence: string) => void;
}

/**
 * @param unit the systemd unit whose cgroup is the container's or above it
 * @throws RuntError ERR_CGROUP_BUSY
 */
export function checkExclusive(root: string, id: string, own: readonly string[], unit?: string): void {
  const cgroups = own.map((path) => (unit !== undefined && unitIn(path, unit)) || path);
  const busyError = (path: string, why: string, hint: string): RuntError =>
    new RuntError({
      code: 'ERR_CGROUP_BUSY',
      message: `delete ${id}: kill the processes in its cgroup ${path}: ${why}`,
      path,
      hint,
    });
  const { v1, unified } = ownCgroups(readCgroupFacts());
  for (const { path: own } of [...v1, ...(unified ? [unified] : [])]) {
    const above = cgroups.find((path) => isAtOrBelow(own, path));
    if (above !== undefined)
      throw busyError(above, 'this command runs in it too', 'run the command from another cgroup');
  }
  for (const other of names(root)) {
    if (other === id) continue;
    const below = recordOf(root, other)?.cgroups ?? [];
    const path = cgroups.find((own) => below.some((each) => isAtOrBelow(each, own)));
    if (path !== undefined)
      throw busyError(
        path,
        `the container ${other} is in it or below`,
        `delete ${other} first (runt delete --force ${other})`,
      );
  }
}

/** The cgroup of a systemd unit at or above the path. */
function unitIn(path: string, unit: string): string | undefined {
  const at = `${path}/`.indexOf(`/${unit}/`);
  return at < 0 ? undefined : path.slice(0, at + 1 + unit.length);
}

/** An unusable record has no known cgroups; `list` warns of it. */
function recordOf(root: string, id: string): ContainerRecord | undefined {
  try {
    return loadRecord(root, id);
  } catch (error) {
    if (error instanceof RuntError && /^ERR_(?:STATE|CONTAINER_ID|NO_CONTAINER)/.test(error.code)) return undefined;
    throw error;
  }
}
