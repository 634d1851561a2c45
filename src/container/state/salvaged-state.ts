/** What can still be learned of a container whose state cannot be used, for `delete --force`. Loaded by need. */

import { hierarchyName, type OwnPath, ownPaths, readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { cgroupPaths } from '../../cgroup/cgroup-paths.js';
import { ownsSystem, userAddresses } from '../../cgroup/systemd/bus-address.js';
import { append } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { isAlive } from './recorded-process.js';
import { entryText, withState } from './state-directory.js';
import { type ContainerRecord, isPid, type RecordedProcess, type RecordedUnit } from './state-store.js';

/** What is needed to end a container and to remove it. */
interface Salvaged extends RecordedProcess {
  readonly cgroups: readonly string[];
  /** systemd's unit: of the user's session its bus is among those that `delete` looks for anyway. */
  readonly unit?: RecordedUnit;
  readonly supervisor?: RecordedProcess;
}

/**
 * Reads what a cut, damaged or newer state.json still says: only whole values count, and a process only by its start
 * time. The directory and the file were judged (state-directory.ts), so what stands there is as true as in a whole
 * record.
 * @returns undefined when it tells no process
 */
export function salvage(root: string, id: string): Salvaged | undefined {
  const text = withState(root, id, (dir) => entryText(dir, 'state.json')) ?? '';
  // The container's own pair comes first: those of creator and supervisor are in objects of their own.
  const own = processIn(text.replace(/"(creator|supervisor)":\{[^{}]{0,200}\}?/g, ''));
  if (!own) return undefined;
  const supervisor = processIn(/"supervisor":(\{[^{}]{0,200}\})/.exec(text)?.[1] ?? '');
  const listed = /"cgroups":\[((?:"[^"\\]{1,4096}",?){0,64})/.exec(text)?.[1] ?? '';
  const whole = [...listed.matchAll(/"(\/[^"\\]*)"/g)].map((m) => m[1] as string);
  const cgroups = new Set([...whole, ...(isAlive(own) ? cgroupsOf(own.pid, id) : [])]);
  const unit = salvagedUnit(root, id, [...cgroups]);
  return { ...own, cgroups: [...cgroups], ...(supervisor && { supervisor }), ...(unit && { unit }) };
}

function processIn(text: string): RecordedProcess | undefined {
  const match = /"pid":([1-9][0-9]{0,9}),"startTime":"([0-9]{1,20})"/.exec(text);
  return match && isPid(Number(match[1])) ? { pid: Number(match[1]), startTime: match[2] as string } : undefined;
}

/** The unit, when all that is said of it is there. */
function unitIn(text: string): RecordedUnit | undefined {
  const whole =
    /"unit":(\{"name":"[A-Za-z0-9:_.@-]{1,255}\.scope"(?:,"bus":\{"path":"\/[^"\\]{1,4096}","daemon":(?:true|false)\})?\})/.exec(
      text,
    );
  return whole ? (JSON.parse(whole[1]!) as RecordedUnit) : undefined;
}

/**
 * The unit that the state names, or that one of the cgroups is. systemd has to be told of its end: it may miss that a
 * cgroup was removed. The bus of another user's manager is not known.
 */
export function salvagedUnit(root: string, id: string, cgroups: readonly string[]): RecordedUnit | undefined {
  const named = unitIn(withState(root, id, (dir) => entryText(dir, 'state.json')) ?? '');
  const scope = cgroups.find((path) => path.endsWith('.scope'));
  if (named || scope === undefined) return named;
  if (!scope.includes('/user@')) return { name: lastOf(scope) };
  const [bus] = ownsSystem() ? [] : userAddresses();
  return bus && { name: lastOf(scope), bus };
}

/**
 * The cgroups that a live process is in, of those that carry the container's name: another one, such as that of the
 * engine when the container was made without its own, holds other processes too.
 */
function cgroupsOf(pid: number, id: string): string[] {
  const facts = readCgroupFacts();
  const found: string[] = [];
  for (const own of cgroupsOfProcess(pid)) {
    const named = namedCgroup(own.path, id);
    if (named === undefined) continue;
    // Absolute, as the process sees it from this cgroup namespace.
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

/** The cgroups that a process is in; none when it has ended. */
export function cgroupsOfProcess(pid: number): readonly OwnPath[] {
  try {
    return ownPaths(tryReadText(`/proc/${pid}/cgroup`) ?? '');
  } catch (error) {
    if (error instanceof RuntError && error.errno === E.ESRCH) return [];
    throw error;
  }
}

/** The last component of a cgroup's path. */
export const lastOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Whether that is the container's name, as cgroupfs or an engine or systemd writes it. */
export function carriesId(path: string, id: string): boolean {
  const last = lastOf(path);
  return last === id || last.endsWith(`-${id}`) || last.endsWith(`-${id}.scope`);
}

/** The cgroup that carries the container's name: the one at the path, or the unit of systemd's that it is in. */
export function namedCgroup(path: string, id: string): string | undefined {
  if (carriesId(path, id)) return path;
  const unit = `-${id}.scope`;
  const at = path.indexOf(`${unit}/`);
  return at < 0 ? undefined : path.slice(0, at + unit.length);
}

/** As much of a record as `delete` reads. */
export function recordFrom(id: string, s: Salvaged): ContainerRecord {
  return {
    version: 1,
    ociVersion: '',
    id,
    status: 'created',
    bundle: '',
    rootfs: '',
    created: '',
    owner: 0,
    // Unknown: then every process of the cgroups is ended one by one.
    pidNamespace: false,
    ...s,
  };
}
