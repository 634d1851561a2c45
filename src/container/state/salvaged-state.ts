/** The usable parts of a damaged state, for `delete --force`; loaded on demand. */

import { hierarchyName, type OwnPath, ownPaths, readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { cgroupPaths } from '../../cgroup/cgroup-paths.js';
import { ownsSystemManager, userAddresses } from '../../cgroup/systemd/bus-address.js';
import { append } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { isAlive } from './recorded-process.js';
import { entryText, withState } from './state-directory.js';
import { type ContainerRecord, isPid, type RecordedProcess, type RecordedUnit } from './state-store.js';

/** The data needed to end and remove a container. */
interface SalvagedState extends RecordedProcess {
  readonly cgroups: readonly string[];
  /** systemd's unit. If it is of a user session, `delete` tries its bus anyway. */
  readonly unit?: RecordedUnit;
  readonly supervisor?: RecordedProcess;
}

/**
 * Reads a cut, damaged or newer state.json. Accepts only complete values, and a process only with its start time. The
 * directory and file were judged (state-directory.ts), so they are as trustworthy as a whole record.
 * @returns undefined if it has no process
 */
export function salvage(root: string, id: string): SalvagedState | undefined {
  const text = withState(root, id, (dir) => entryText(dir, 'state.json')) ?? '';
  // The container's own process: creator and supervisor are in objects of their own.
  const own = processIn(text.replace(/"(creator|supervisor)":\{[^{}]{0,200}\}?/g, ''));
  if (!own) return undefined;
  const supervisor = processIn(/"supervisor":(\{[^{}]{0,200}\})/.exec(text)?.[1] ?? '');
  const listed = /"cgroups":\[((?:"[^"\\]{1,4096}",?){0,64})/.exec(text)?.[1] ?? '';
  const paths = [...listed.matchAll(/"(\/[^"\\]*)"/g)].map((m) => m[1] as string);
  const cgroups = new Set([...paths, ...(isAlive(own) ? cgroupsOf(own.pid, id) : [])]);
  const unit = salvagedUnit(root, id, [...cgroups]);
  return { ...own, cgroups: [...cgroups], ...(supervisor && { supervisor }), ...(unit && { unit }) };
}

function processIn(text: string): RecordedProcess | undefined {
  const match = /"pid":([1-9][0-9]{0,9}),"startTime":"([0-9]{1,20})"/.exec(text);
  return match && isPid(Number(match[1])) ? { pid: Number(match[1]), startTime: match[2] as string } : undefined;
}

/** The unit, if it is complete. */
function unitIn(text: string): RecordedUnit | undefined {
  const match =
    /"unit":(\{"name":"[A-Za-z0-9:_.@-]{1,255}\.scope"(?:,"bus":\{"path":"\/[^"\\]{1,4096}","daemon":(?:true|false)\})?\})/.exec(
      text,
    );
  return match ? (JSON.parse(match[1]!) as RecordedUnit) : undefined;
}

/**
 * The unit in the state, or the one of a cgroup. systemd must be notified of its end: it may miss that a cgroup was
 * removed. The bus of another user's manager is unknown.
 */
export function salvagedUnit(root: string, id: string, cgroups: readonly string[]): RecordedUnit | undefined {
  const named = unitIn(withState(root, id, (dir) => entryText(dir, 'state.json')) ?? '');
  const scope = cgroups.find((path) => path.endsWith('.scope'));
  if (named || scope === undefined) return named;
  if (!scope.includes('/user@')) return { name: lastComponent(scope) };
  const [bus] = ownsSystemManager() ? [] : userAddresses();
  return bus && { name: lastComponent(scope), bus };
}

/**
 * The cgroups of a live process that contain the container's name. Others also hold foreign processes: the engine's,
 * for example, if the container was created without its own.
 */
function cgroupsOf(pid: number, id: string): string[] {
  const facts = readCgroupFacts();
  const found: string[] = [];
  for (const own of cgroupsOfProcess(pid)) {
    const named = namedCgroup(own.path, id);
    if (named === undefined) continue;
    // Absolute, as seen from this process's cgroup namespace.
    const { v1, unified } = cgroupPaths(facts, named, id, { rootless: false });
    if (own.unified) append(found, unified ? [unified.path] : []);
    else
      append(
        found,
        v1.filter((p) => hierarchyName(p.hierarchy) === hierarchyName(own)).map((p) => p.path),
      );
  }
  return found;
}

/** The cgroups of a process; none if it has ended. */
export function cgroupsOfProcess(pid: number): readonly OwnPath[] {
  try {
    return ownPaths(tryReadText(`/proc/${pid}/cgroup`) ?? '');
  } catch (error) {
    if (error instanceof RuntError && error.errno === E.ESRCH) return [];
    throw error;
  }
}

/** Last component of a cgroup's path. */
export const lastComponent = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Whether it contains the container's name, in the form of cgroupfs, an engine or systemd. */
export function containsId(path: string, id: string): boolean {
  const last = lastComponent(path);
  return last === id || last.endsWith(`-${id}`) || last.endsWith(`-${id}.scope`);
}

/** The cgroup that contains the container's name: the path itself, or the systemd unit above it. */
export function namedCgroup(path: string, id: string): string | undefined {
  if (containsId(path, id)) return path;
  const unit = `-${id}.scope`;
  const at = path.indexOf(`${unit}/`);
  return at < 0 ? undefined : path.slice(0, at + unit.length);
}

/** The parts of a record that `delete` reads. */
export function recordFrom(id: string, s: SalvagedState): ContainerRecord {
  return {
    version: 1,
    ociVersion: '',
    id,
    status: 'created',
    bundle: '',
    rootfs: '',
    created: '',
    owner: 0,
    // Unknown: so `delete` kills every process of the cgroups one by one.
    pidNamespace: false,
    ...s,
  };
}
