/** The recorded processes of a container: identity, status and signals. */

import { checkMounted, isCgroup } from '../../cgroup/cgroup-facts.js';
import { isFrozen } from '../../cgroup/freezer.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { readText, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { isDead, type ProcessStat, processStat } from '../../sys/procfs.js';
import { Protocol } from '../../sys/protocol.js';
import { pollUntil, readableOrPolled } from '../../sys/waiting/loop.js';
import { withState } from './state-directory.js';
import {
  type ContainerRecord,
  isEntry,
  loadRecord,
  type RecordedProcess,
  type Status,
  startSocket,
} from './state-store.js';

/** Path of a process's v2 cgroup, relative to the root that this process sees; '' if it has none or has ended. */
export function unifiedPath(pid: number | 'self'): string {
  const path = `/proc/${pid}/cgroup`;
  const lines = (pid === 'self' ? readText(path) : (tryReadText(path) ?? '')).split('\n');
  return lines.find((l) => l.startsWith('0::'))?.slice('0::'.length) ?? '';
}

/**
 * Current status of the container, from its record and its process. If the create has ended since the record was read,
 * this updates the record: the caller acts on its process. `isPaused` tells it from the cgroups.
 */
export function statusOf(root: string, record: ContainerRecord, isPaused = isFrozen): Status {
  const stat = liveStat(record);
  // Before the clone, the creator decides: a killed one does not continue.
  if (record.status === 'creating') {
    if (stat || isAlive({ ...record, ...(record.creator ?? noProcess) })) return 'creating';
    // The create may have ended well since the record was read.
    const latest = loadRecord(root, record.id);
    if (latest.status === 'creating') return 'stopped';
    delete record.creator;
    Object.assign(record, latest);
    return statusOf(root, record, isPaused);
  }
  if (!stat) return 'stopped';
  if (isPaused(record.cgroups)) return 'paused';
  // A killed start leaves the socket, although the process may run.
  if (stat.name !== Protocol.WAITING_NAME) return 'running';
  if (withState(root, record.id, (dir) => isEntry(dir, startSocket))) return 'created';
  // A run has none. Or a delete has removed it, after the end of the process.
  return liveStat(record) ? 'running' : 'stopped';
}

/** Whether the recorded process still runs: same pid, same start time, not a zombie. */
export function isAlive(recorded: Recorded): boolean {
  return liveStat(recorded) !== undefined;
}

/** A container's init process, or another recorded process. */
type Recorded = RecordedProcess & Partial<Pick<ContainerRecord, 'pidsIn' | 'cgroups'>>;

function liveStat(recorded: Recorded): ProcessStat | undefined {
  const { pid, startTime } = recorded;
  const stat = pid === 0 ? undefined : processStat(pid);
  if (stat?.startTime === startTime && !isDead(stat)) return stat;
  if (pid !== 0 && stat?.startTime !== startTime) checkNamespace(recorded);
  return undefined;
}

/**
 * A pid of another pid namespace proves nothing here. The container may run as long as its cgroups exist; they vanish
 * with the namespace if that was an engine's container.
 * @throws RuntError ERR_PROCESS, ERR_CGROUP
 */
export function checkNamespace({ pid, pidsIn, cgroups = [] }: Recorded): void {
  const own = pidNamespace();
  if (own === undefined || pidsIn === undefined || pidsIn === own) return;
  checkMounted(cgroups);
  if (!cgroups.some(isCgroup)) return;
  throw new RuntError({
    code: 'ERR_PROCESS',
    message: `look for process ${pid}: it belongs to the pid namespace ${pidsIn}, and runt runs in ${own}`,
    hint: 'run runt in the pid namespace in which the container was created',
  });
}

/**
 * This process's pid namespace, as `pid:[INODE]`; undefined if there is no procfs.
 * @throws RuntError ERR_PROCESS
 */
export function pidNamespace(): string | undefined {
  const out = new Uint8Array(64);
  const n = native.readLink(AT_FDCWD, '/proc/self/ns/pid', out);
  if (n === -E.ENOENT) return undefined;
  return host.decode(
    out,
    check(n, { code: 'ERR_PROCESS', message: 'read the link /proc/self/ns/pid', syscall: 'readlink' }),
  );
}

/** Identity of a process, to be recorded. Without a start time if it has ended, so that it never counts as alive. */
export const recordProcess = (pid: number): RecordedProcess => ({ pid, startTime: processStat(pid)?.startTime ?? '' });

/** Identity of this process, to be recorded. */
export const thisProcess = (): RecordedProcess => recordProcess(native.pid());

const noProcess: RecordedProcess = { pid: 0, startTime: '' };

/**
 * A pidfd of the recorded process; -1 if it has ended. Verifies the pid after the open: a signal cannot reach another
 * process that reuses the pid.
 * @throws RuntError ERR_PROCESS
 */
export function openProcess(recorded: Recorded): number {
  const process = holdProcess(recorded);
  if (process && process.fd < 0) throw openError(recorded.pid, E.ENOSYS);
  return process?.fd ?? -1;
}

function openError(pid: number, errno: number): RuntError {
  return new RuntError({
    code: 'ERR_PROCESS',
    message: `open process ${pid}`,
    errno,
    syscall: 'pidfd_open',
    ...(errno === E.ENOSYS && { hint: 'allow pidfd_open(2) in the seccomp filter that runt runs under' }),
  });
}

/**
 * Signals the process behind a pidfd, by kill(2) if a seccomp filter refuses pidfd_send_signal(2). The pid is not
 * reused before the process has ended.
 * @returns 0 or -errno
 */
export function signalProcess(pidfd: number, pid: number, signal: number): number {
  const r = native.pidfdSignal(pidfd, signal);
  if (r !== -E.ENOSYS) return r;
  return native.isReadable(pidfd) === 0 ? native.killProcess(pid, signal) : -E.ESRCH;
}

/** A verified process, held so that no signal reaches another process that reuses its pid. */
export class HeldProcess {
  constructor(
    private readonly recorded: Recorded,
    /** Its pidfd; -1 if a seccomp filter refuses pidfd_open(2). Then each call compares the start time. */
    readonly fd: number,
  ) {}

  /**
   * If a seccomp filter refuses pidfd_send_signal(2), tries `fallback` first.
   * @returns 0 or -errno; ESRCH if it has ended
   */
  signal(signal: number, fallback = (): boolean => false): number {
    const r = this.fd < 0 ? -E.ENOSYS : native.pidfdSignal(this.fd, signal);
    if (r !== -E.ENOSYS) return r;
    if (fallback()) return 0;
    // Not a race: the kernel reuses a pid only after all others, not between the comparison and kill(2).
    const lives = this.fd >= 0 ? native.isReadable(this.fd) === 0 : isAlive(this.recorded);
    return lives ? native.killProcess(this.recorded.pid, signal) : -E.ESRCH;
  }

  /** Waits for its end; false after `timeout` ms (-1 for none). */
  waitForEnd(timeout = -1): Promise<boolean> {
    return this.fd >= 0 ? readableOrPolled(this.fd, timeout) : pollUntil(() => !isAlive(this.recorded), timeout);
  }

  close(): void {
    if (this.fd >= 0) native.close(this.fd);
  }
}

/** Holds the recorded process; undefined if it has ended. @throws RuntError ERR_PROCESS */
export function holdProcess(recorded: Recorded): HeldProcess | undefined {
  const { pid } = recorded;
  if (pid === 0) return undefined;
  const fd = native.pidfdOpen(pid);
  if (fd < 0 && fd !== -E.ESRCH && fd !== -E.ENOSYS) throw openError(pid, -fd);
  try {
    // After ESRCH too: the pid may be of another pid namespace, whose procfs is at /proc.
    if (isAlive(recorded)) {
      if (fd === -E.ESRCH) throw openError(pid, E.ESRCH);
      return new HeldProcess(recorded, Math.max(fd, -1));
    }
  } catch (error) {
    if (fd >= 0) native.close(fd);
    throw error;
  }
  if (fd >= 0) native.close(fd);
  return undefined;
}
