/** The report of `runt debug`: all host data about one container. */
import { isFrozen } from '../cgroup/freezer.js';
import { RuntError } from '../sys/error.js';
import { exists, readLink, tryListDir, tryReadText } from '../sys/fs.js';
import { Protocol } from '../sys/protocol.js';
import { listPids } from './ps.js';
import { type LastError, lastError } from './state/last-error.js';
import { isAlive } from './state/recorded-process.js';
import { recordFrom, salvage } from './state/salvaged-state.js';
import { entryText, withState } from './state/state-directory.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import { type ContainerState, describe } from './state.js';

interface DebugProcess {
  readonly pid: number;
  /** One letter of proc_pid_stat(5). */
  readonly state: string;
  readonly command: string;
}

export interface DebugReport {
  readonly id: string;
  /** Its state directory. */
  readonly directory: string;
  /** Absent if the state is unusable: `problem` has the reason, and the rest is salvaged. */
  readonly state?: ContainerState;
  readonly problem?: string;
  readonly config?: string;
  readonly supervised: boolean;
  /** exit.json of a supervised container that has ended. */
  readonly exit?: unknown;
  readonly lastError?: LastError;
  readonly processes: readonly DebugProcess[];
  /** `own`: not the calling command's. */
  readonly namespaces: readonly { readonly type: string; readonly id: string; readonly own: boolean }[];
  /** Lines of /proc/PID/status about ids, capabilities and seccomp, and the id maps. */
  readonly identity: Readonly<Record<string, string>>;
  readonly cgroups: readonly {
    readonly path: string;
    readonly exists: boolean;
    /** Files with limits and usage, by name. */
    readonly files: Readonly<Record<string, string>>;
  }[];
  readonly frozen: boolean;
  readonly mounts: readonly {
    readonly target: string;
    readonly type: string;
    readonly source: string;
    readonly options: string;
  }[];
  /** Resource limits: name, soft, hard, unit. */
  readonly limits: readonly (readonly string[])[];
  readonly descriptors: Readonly<Record<string, string>>;
}

const identityLines =
  'Uid Gid Groups NoNewPrivs Seccomp Seccomp_filters CapInh CapPrm CapEff CapBnd CapAmb Umask Cpus_allowed_list'.split(
    ' ',
  );
/** Files of v1 and v2; those that do not exist are omitted. */
const cgroupFiles =
  'memory.limit_in_bytes memory.usage_in_bytes memory.memsw.limit_in_bytes memory.oom_control memory.max memory.high memory.low memory.current memory.swap.max memory.events cpu.shares cpu.cfs_period_us cpu.cfs_quota_us cpu.weight cpu.max cpu.stat cpuset.cpus cpuset.mems cpuset.cpus.effective pids.max pids.current blkio.weight io.weight io.max devices.list freezer.state cgroup.freeze cgroup.controllers'.split(
    ' ',
  );

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_ID, ERR_STATE */
export function debugReport(o: { readonly root: string; readonly id: string }): DebugReport {
  const { record, problem } = recordOf(o.root, o.id);
  const pid = record && isAlive(record) ? record.pid : 0;
  const error = lastError(o.root, o.id);
  const exit = parseOrText(withState(o.root, o.id, (dir) => entryText(dir, Protocol.EXIT_RECORD)) ?? '');
  return {
    id: o.id,
    directory: `${o.root}/${o.id}`,
    ...(problem === undefined ? record && { state: describe(o.root, record) } : { problem }),
    ...(record?.config !== undefined && { config: record.config }),
    supervised: record?.supervisor !== undefined,
    ...(exit !== undefined && { exit }),
    ...(error && { lastError: error }),
    processes: processesOf(o, record, problem),
    namespaces: namespacesOf(pid),
    identity: identityOf(pid),
    cgroups: (record?.cgroups ?? []).map((path) => ({ path, exists: isThere(path), files: filesOf(path) })),
    frozen: record ? isFrozen(record.cgroups) : false,
    mounts: mountsOf(pid),
    limits: limitsOf(pid),
    descriptors: descriptorsOf(pid),
  };
}

function recordOf(root: string, id: string): { record: ContainerRecord | undefined; problem?: string } {
  try {
    return { record: loadRecord(root, id) };
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    if (error.code !== 'ERR_STATE_CORRUPT' && error.code !== 'ERR_STATE_VERSION') throw error;
    const salvaged = salvage(root, id);
    return { record: salvaged && recordFrom(id, salvaged), problem: error.message };
  }
}

/** Text of a file; '' if it is missing or unreadable: the report is best effort. */
function readOrEmpty(path: string): string {
  try {
    return tryReadText(path) ?? '';
  } catch {
    return '';
  }
}

/** Same as `exists`, but an error also counts as absent. */
const isThere = (path: string): boolean => {
  try {
    return exists(path);
  } catch {
    return false;
  }
};

function parseOrText(of: string): unknown {
  try {
    return of === '' ? undefined : JSON.parse(of);
  } catch {
    return of;
  }
}

function readLinkOrEmpty(path: string): string {
  try {
    return readLink(path);
  } catch {
    return '';
  }
}

const listOrEmpty = (path: string): string[] => {
  try {
    return tryListDir(path) ?? [];
  } catch {
    return [];
  }
};

function processesOf(
  o: { readonly root: string; readonly id: string },
  record: ContainerRecord | undefined,
  problem: string | undefined,
): DebugProcess[] {
  const all = problem === undefined ? listPids(o) : record && isAlive(record) ? [record.pid] : [];
  return all.map((pid) => {
    const stat = readOrEmpty(`/proc/${pid}/stat`);
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const command = readOrEmpty(`/proc/${pid}/cmdline`).split('\0').filter(Boolean).join(' ');
    return { pid, state: stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '?', command: command || `[${name}]` };
  });
}

function namespacesOf(pid: number): { type: string; id: string; own: boolean }[] {
  if (pid === 0) return [];
  return listOrEmpty(`/proc/${pid}/ns`)
    .filter((type) => !type.endsWith('_for_children'))
    .sort()
    .map((type) => {
      const id = readLinkOrEmpty(`/proc/${pid}/ns/${type}`);
      return { type, id, own: id !== readLinkOrEmpty(`/proc/self/ns/${type}`) };
    });
}

function identityOf(pid: number): Record<string, string> {
  if (pid === 0) return {};
  const found: Record<string, string> = {};
  for (const line of readOrEmpty(`/proc/${pid}/status`).split('\n')) {
    const [key = '', ...rest] = line.split(':');
    if (identityLines.includes(key)) found[key] = rest.join(':').trim().replaceAll('\t', ' ');
  }
  for (const map of ['uid_map', 'gid_map']) {
    const lines = readOrEmpty(`/proc/${pid}/${map}`).trim().split('\n');
    found[map] = lines.map((l) => l.trim().split(/ +/).join(' ')).join(', ');
  }
  const label = readOrEmpty(`/proc/${pid}/attr/current`).replaceAll('\0', '').trim();
  if (label !== '') found.label = label;
  found.oom_score_adj = readOrEmpty(`/proc/${pid}/oom_score_adj`).trim();
  return found;
}

function filesOf(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const file of cgroupFiles) {
    const value = readOrEmpty(`${path}/${file}`).trim();
    if (value !== '') found[file] = value.split('\n').join(', ');
  }
  return found;
}

function mountsOf(pid: number): { target: string; type: string; source: string; options: string }[] {
  if (pid === 0) return [];
  // Keep octal escapes (proc_pid_mountinfo(5)), which keep a path on its line.
  return readOrEmpty(`/proc/${pid}/mountinfo`)
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ');
      const fields = left.split(' ');
      const [type = '', source = '', superOptions = ''] = right.split(' ');
      const propagation = fields.slice(6).join(',');
      const options = [fields[5], propagation, superOptions].filter(Boolean).join(' ');
      return { target: fields[4] ?? '', type, source, options };
    });
}

function limitsOf(pid: number): string[][] {
  if (pid === 0) return [];
  // Columns have a fixed width, because the names contain spaces.
  return readOrEmpty(`/proc/${pid}/limits`)
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((l) => [l.slice(0, 26).trim(), l.slice(26, 47).trim(), l.slice(47, 68).trim(), l.slice(68).trim()]);
}

function descriptorsOf(pid: number): Record<string, string> {
  if (pid === 0) return {};
  const numbers = listOrEmpty(`/proc/${pid}/fd`)
    .map(Number)
    .sort((a, b) => a - b);
  return Object.fromEntries(numbers.map((fd) => [String(fd), readLinkOrEmpty(`/proc/${pid}/fd/${fd}`)]));
}
