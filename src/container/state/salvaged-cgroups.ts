/** The cgroups of a container whose damaged state has no process, for `delete --force`; loaded on demand. */
import { checkMounted, isCgroup, readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { cgroupPaths, ownCgroups } from '../../cgroup/cgroup-paths.js';
import { pidsIn } from '../../cgroup/cgroup-processes.js';
import { thaw } from '../../cgroup/freezer.js';
import { scopeName } from '../../cgroup/systemd/unit-name.js';
import { defaultParent } from '../../cgroup/unified-tree.js';
import { isAtOrBelow } from '../../plan/container-path.js';
import { RuntError } from '../../sys/error.js';
import { listDir } from '../../sys/fs.js';
import { SIGKILL } from '../../sys/linux.js';
import { isDead, processStat } from '../../sys/procfs.js';
import { pollUntil } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { killAll } from '../cgroups/kill-all.js';
import { checkExclusive } from '../cgroups/occupants.js';
import { teardown } from '../teardown.js';
import { isAlive } from './recorded-process.js';
import {
  cgroupsOfProcess,
  containsId,
  lastComponent,
  namedCgroup,
  recordFrom,
  salvage,
  salvagedUnit,
} from './salvaged-state.js';
import { entryText, withState } from './state-directory.js';
import type { ContainerRecord, RecordedProcess } from './state-store.js';

/**
 * The record for `delete --force` if the state is damaged. Undefined if it has no process: then this emptied its
 * cgroup.
 * @param why the state is damaged
 * @throws RuntError ERR_STATE_CORRUPT, as endSalvagedCgroups
 */
export async function salvagedRecord(
  root: string,
  id: string,
  why: string,
  warn?: (sentence: string) => void,
): Promise<ContainerRecord | undefined> {
  const salvaged = salvage(root, id);
  if (salvaged) {
    await endUnlistedCgroups(root, id, salvaged);
    return recordFrom(id, {
      ...salvaged,
      cgroups: [...new Set([...salvaged.cgroups, ...unlistedCgroups(root, id, salvaged)])],
    });
  }
  const ended = await endSalvagedCgroups(root, id, warn);
  const what = ended ? 'runt killed what was in its cgroup' : 'runt killed nothing';
  warn?.(`${why}; it names no process: ${what}`);
  return undefined;
}

/**
 * Ends and removes the container's cgroups: those in state.json, else those that config and id imply. Touches only a
 * cgroup whose last component contains the id, and never one that this process is in or below: others may hold foreign
 * processes.
 * @returns whether there was one
 * @throws RuntError ERR_STATE_CORRUPT if processes may be the container's and must not be killed, ERR_CGROUP_BUSY if
 * another container is below; its record is needed then
 */
async function endSalvagedCgroups(root: string, id: string, warn?: (sentence: string) => void): Promise<boolean> {
  const paths = listedCgroups(root, id) ?? configuredCgroups(root, id);
  checkMounted(paths);
  const own = ownPaths();
  const ours: string[] = [];
  for (const path of new Set(paths.map((each) => namedCgroup(each, id) ?? each))) {
    const above = own.some((each) => isAtOrBelow(each, path));
    if (!above && containsId(path, id)) ours.push(path);
    else if (above || pidsIn(path, true).length > 0) {
      const why = above ? 'this command runs in it too' : 'the name of the cgroup does not have its id';
      throw unsureError(root, id, `the processes in the cgroup ${path} may belong to it, but ${why}`, path);
    }
  }
  const found = ours.filter(isCgroup);
  checkExclusive(root, id, found);
  await pollUntil(() => {
    killAll(found, SIGKILL);
    // Frozen processes end only when thawed.
    thaw(found);
    return found.every((path) => pidsIn(path, true).length === 0);
  }, killedProcessTime);
  await teardown({ command: 'delete', root, id, warn, unit: salvagedUnit(root, id, found), cgroups: found });
  return found.length > 0;
}

/** Does the same if the salvaged process has ended and the list is incomplete: its cgroups may have other processes. */
async function endUnlistedCgroups(root: string, id: string, process: RecordedProcess): Promise<void> {
  if (!isAlive(process) && listedCgroups(root, id) === undefined) await endSalvagedCgroups(root, id);
}

/**
 * If the list is incomplete: the cgroups, by config and id, at or above a live process, which may be in one that the
 * container made.
 */
function unlistedCgroups(root: string, id: string, process: RecordedProcess): string[] {
  if (!isAlive(process) || listedCgroups(root, id) !== undefined) return [];
  try {
    return configuredCgroups(root, id).filter((p) => containsId(p, id) && pidsIn(p, true).includes(process.pid));
  } catch (error) {
    // The config is damaged too: only the process's own cgroups are known.
    if (error instanceof RuntError && error.code === 'ERR_STATE_CORRUPT') return [];
    throw error;
  }
}

/** The cgroups in a state.json that is cut or damaged elsewhere; undefined if the list is incomplete. */
function listedCgroups(root: string, id: string): string[] | undefined {
  const text = withState(root, id, (dir) => entryText(dir, 'state.json')) ?? '';
  const list = /"cgroups":\[((?:"\/[^"\\]{1,4096}"(?:,(?="))?){0,64})\]/.exec(text)?.[1];
  return list === undefined ? undefined : [...list.matchAll(/"([^"]*)"/g)].map((m) => m[1] as string);
}

/**
 * Cgroups by the stored config. A relative path depends on the creator's own cgroup, and the cgroup manager is unknown:
 * a process in another cgroup of that name is an error.
 */
function configuredCgroups(root: string, id: string): string[] {
  const cgroupsPath = cgroupsPathOf(root, id);
  const facts = readCgroupFacts();
  const { v1, unified } = cgroupPaths(facts, cgroupsPath, id, { rootless: false, defaultParent });
  const paths = [...v1, ...(unified ? [unified] : [])].map(({ path }) => path);
  if (cgroupsPath?.startsWith('/')) return paths;
  const names = new Set(paths.map(lastComponent));
  const scope = facts.layout === 'v2' ? scopeOf(cgroupsPath, id) : undefined;
  if (scope !== undefined) {
    paths.push(`${facts.unified!.mountPoint}${scope}`);
    names.add(lastComponent(scope));
  }
  for (const name of listDir('/proc').filter((entry) => /^[1-9][0-9]*$/.test(entry))) {
    const pid = Number(name);
    const other = cgroupsOfProcess(pid).find((own) => names.has(lastComponent(own.path)))?.path;
    if (other === undefined || paths.some((path) => pidsIn(path, true).includes(pid))) continue;
    // A zombie still shows its cgroup, but no cgroup.procs lists it (cgroups(7)).
    const stat = processStat(pid);
    if (stat && !isDead(stat)) {
      throw unsureError(root, id, `process ${pid} in the cgroup ${other} may belong to it`, other);
    }
  }
  return paths;
}

/**
 * Path of systemd's scope; undefined if no scope name can be made of the path. Then systemd did not make the cgroup.
 */
function scopeOf(cgroupsPath: string | undefined, id: string): string | undefined {
  try {
    return scopeName(cgroupsPath, id, false).path;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_CGROUP_PATH') return undefined;
    throw error;
  }
}

/** `linux.cgroupsPath` of the stored config; undefined if it has none or is missing: then no process was started. */
function cgroupsPathOf(root: string, id: string): string | undefined {
  const text = withState(root, id, (dir) => entryText(dir, 'config.json'));
  if (text === undefined) return undefined;
  try {
    const path = JSON.parse(text).linux?.cgroupsPath ?? undefined;
    if (path === undefined || typeof path === 'string') return path;
  } catch {
    // It is damaged too.
  }
  throw unsureError(
    root,
    id,
    'its config.json cannot be used either, so that its cgroup is unknown',
    `${root}/${id}/config.json`,
  );
}

/** This process's cgroup in each hierarchy. */
function ownPaths(): string[] {
  const { v1, unified } = ownCgroups(readCgroupFacts());
  return [...v1, ...(unified ? [unified] : [])].map(({ path }) => path);
}

function unsureError(root: string, id: string, why: string, path: string): RuntError {
  return new RuntError({
    code: 'ERR_STATE_CORRUPT',
    message: `delete ${id}: its state names no process, and ${why}`,
    path,
    hint: `kill what runs of the container, then remove ${root}/${id}`,
  });
}
