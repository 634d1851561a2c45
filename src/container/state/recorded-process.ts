/** The init process of a container: is it still the one we started, what does it do, how is it signalled. */

import { checkMounted, isCgroup } from '../../cgroup/cgroup-facts.js';
import { isFrozen } from '../../cgroup/freezer.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { readText, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { type ProcessStat, processStat } from '../../sys/procfs.js';
import { Protocol } from '../../sys/protocol.js';
import { readableOrPolled, until } from '../../sys/waiting/loop.js';
import { withState } from './state-directory.js';
import { type ContainerRecord, isEntry, type RecordedProcess, type Status, startSocket } from './state-store.js';

/** Path of the v2 cgroup that a process is in, from the root that this one sees; '' when it has none, or is gone. */
export function unifiedPlace(pid: number | 'self'): string {
  const path = `/proc/${pid}/cgroup`;
  const lines = (pid === 'self' ? readText(path) : (tryReadText(path) ?? '')).split('\n');
  return lines.find((l) => l.startsWith('0::'))?.slice('0::'.length) ?? '';
}

/** What the container does now, from its record and its process. */
export function statusOf(root: string, record: ContainerRecord): Status {
  const stat = liveStat(record);
  // Before the clone it is the process of the create that tells: one that was killed creates no more.
  if (record.status === 'creating')
    return stat || isAlive({ ...record, ...(record.creator ?? noProcess) }) ? 'creating' : 'stopped';
  if (!stat) return 'stopped';
  if (isFrozen(record.cgroups)) return 'paused';
  // A start that was killed leaves the socket behind, and the process may run.
  const waits = stat.name === Protocol.WAITING_NAME && withState(root, record.id, (dir) => isEntry(dir, startSocket));
  return waits ? 'created' : 'running';
}

/** Whether the recorded process still runs: same pid, same start time, no zombie. */
export function isAlive(recorded: Recorded): boolean {
  return liveStat(recorded) !== undefined;
}

/** A container's process, or another one. */
type Recorded = RecordedProcess & Partial<Pick<ContainerRecord, 'pidsIn' | 'cgroups'>>;

function liveStat(recorded: Recorded): ProcessStat | undefined {
  const { pid, startTime } = recorded;
  const stat = pid === 0 ? undefined : processStat(pid);
  if (stat?.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X') return stat;
  if (pid !== 0 && stat?.startTime !== startTime) checkNamespace(recorded);
  return undefined;
}

/**
 * A pid of another pid namespace tells nothing here. Its container may run as long as its cgroups are there; they go
 * with what had that namespace, when that is a container of an engine. @throws RuntError ERR_PROCESS, ERR_CGROUP
 */
export function checkNamespace({ pid, pidsIn, cgroups = [] }: Recorded): void {
  const own = pidNamespace();
  if (own === undefined || pidsIn === undefined || pidsIn === own) return;
  checkMounted(cgroups);
  if (!cgroups.some(isCgroup)) return;
  throw new RuntError({
    code: 'ERR_PROCESS',
    message: `look for process ${pid}: it is a number of the pid namespace ${pidsIn}, and runt is in ${own}`,
    hint: 'run runt in the pid namespace in which the container was created',
  });
}

/** The pid namespace of this process, as `pid:[INODE]`; undefined where no procfs shows it. */
export function pidNamespace(): string | undefined {
  const out = new Uint8Array(64);
  const n = native.readLink(AT_FDCWD, '/proc/self/ns/pid', out);
  return n > 0 ? host.decode(out, n) : undefined;
}

/** A process to be recorded; with no start time, so that it is never taken for alive, if it has ended already. */
export const recorded = (pid: number): RecordedProcess => ({ pid, startTime: processStat(pid)?.startTime ?? '' });

/** The process that this is, to be recorded. */
export const thisProcess = (): RecordedProcess => recorded(native.pid());

const noProcess: RecordedProcess = { pid: 0, startTime: '' };

/**
 * A pidfd of the recorded process; -1 when it has ended. The pid is verified after the pidfd is there, so that what is
 * signalled through it is the container's process and no other that got its number.
 * @throws RuntError ERR_PROCESS
 */
export function openProcess(recorded: Recorded): number {
  const process = holdProcess(recorded);
  if (process && process.fd < 0) throw cannotOpen(recorded.pid, E.ENOSYS);
  return process?.fd ?? -1;
}

function cannotOpen(pid: number, errno: number): RuntError {
  return new RuntError({
    code: 'ERR_PROCESS',
    message: `open process ${pid}`,
    errno,
    syscall: 'pidfd_open',
    ...(errno === E.ENOSYS && { hint: 'allow pidfd_open(2) in the seccomp filter that runt runs under' }),
  });
}

/**
 * Signals the process behind a pidfd, whose pid is known: by kill(2) where a seccomp filter refuses
 * pidfd_send_signal(2). As long as the process has not ended its pid is not given to another one.
 * @returns 0 or -errno
 */
export function signalProcess(pidfd: number, pid: number, signal: number): number {
  const r = native.pidfdSignal(pidfd, signal);
  if (r !== -E.ENOSYS) return r;
  return native.isReadable(pidfd) === 0 ? native.killProcess(pid, signal) : -E.ESRCH;
}

/** A process that was verified, held so that no other one with its number is signalled in its place. */
export class HeldProcess {
  constructor(
    private readonly recorded: Recorded,
    /** Its pidfd; -1 where a seccomp filter refuses pidfd_open(2): then its start time is compared each time. */
    readonly fd: number,
  ) {}

  /**
   * Where a seccomp filter refuses pidfd_send_signal(2), tries `instead` first.
   * @returns 0 or -errno, ESRCH when it has ended
   */
  signal(signal: number, instead = (): boolean => false): number {
    const r = this.fd < 0 ? -E.ENOSYS : native.pidfdSignal(this.fd, signal);
    if (r !== -E.ENOSYS) return r;
    if (instead()) return 0;
    // The kernel gives a pid again only after all others: not between the comparison and kill(2).
    const lives = this.fd >= 0 ? native.isReadable(this.fd) === 0 : isAlive(this.recorded);
    return lives ? native.killProcess(this.recorded.pid, signal) : -E.ESRCH;
  }

  /** Waits until it has ended; false after `timeout` ms (-1 for never). */
  ended(timeout = -1): Promise<boolean> {
    return this.fd >= 0 ? readableOrPolled(this.fd, timeout) : until(() => !isAlive(this.recorded), timeout);
  }

  close(): void {
    if (this.fd >= 0) native.close(this.fd);
  }
}

/** Holds the recorded process; undefined when it has ended. @throws RuntError ERR_PROCESS */
export function holdProcess(recorded: Recorded): HeldProcess | undefined {
  const { pid } = recorded;
  if (pid === 0) return undefined;
  const fd = native.pidfdOpen(pid);
  if (fd < 0 && fd !== -E.ESRCH && fd !== -E.ENOSYS) throw cannotOpen(pid, -fd);
  try {
    // Also after ESRCH: the number may be that of another pid namespace, which /proc shows.
    if (isAlive(recorded)) {
      if (fd === -E.ESRCH) throw cannotOpen(pid, E.ESRCH);
      return new HeldProcess(recorded, Math.max(fd, -1));
    }
  } catch (error) {
    if (fd >= 0) native.close(fd);
    throw error;
  }
  if (fd >= 0) native.close(fd);
  return undefined;
}
