/** The init process of a container: is it still the one we started, what does it do, how is it signalled. */

import { isFrozen } from '../cgroup/freezer.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, CLD_EXITED } from '../sys/linux.js';
import { type ContainerRecord, type RecordedProcess, type Status, startSocket } from './store.js';

/** Name of runt-init before the execve (native/init/init.h): no program can be called so, it has a slash. */
const waitingName = 'runt/init';

/** Path of the v2 cgroup that a process is in, from the root that this one sees; '' when it has none, or is gone. */
export function unifiedPlace(pid: number | 'self'): string {
  const lines = (tryReadText(`/proc/${pid}/cgroup`) ?? '').split('\n');
  return lines.find((l) => l.startsWith('0::'))?.slice('0::'.length) ?? '';
}

interface Stat {
  readonly name: string;
  /** One letter. */
  readonly state: string;
  /** Clock ticks since boot. */
  readonly startTime: string;
}

/** Name, state and start time of a process; undefined when there is none. proc_pid_stat(5) */
export function processStat(pid: number): Stat | undefined {
  const buffer = new Uint8Array(1024);
  const n = native.readFile(AT_FDCWD, `/proc/${pid}/stat`, buffer);
  if (n <= 0) return undefined;
  const text = host.decode(buffer, n);
  // The command's name may hold anything, parentheses too: the last one ends it.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const name = text.slice(text.indexOf('(') + 1, end);
  return { name, state: fields[0] as string, startTime: fields[19] as string };
}

/** What the container does now, from its record and its process. */
export function statusOf(root: string, record: ContainerRecord): Status {
  const stat = liveStat(record);
  // Before the clone it is the process of the create that tells: one that was killed creates no more.
  if (record.status === 'creating') return stat || isAlive(record.creator ?? noProcess) ? 'creating' : 'stopped';
  if (!stat) return 'stopped';
  if (isFrozen(record.cgroups)) return 'paused';
  // A start that was killed leaves the socket behind, and the process may run.
  const waits = stat.name === waitingName && native.access(`${root}/${record.id}/${startSocket}`, 0) === 0;
  return waits ? 'created' : 'running';
}

/** Whether the recorded process still runs: same pid, same start time, no zombie. */
export function isAlive(recorded: RecordedProcess): boolean {
  return liveStat(recorded) !== undefined;
}

function liveStat({ pid, startTime }: RecordedProcess): Stat | undefined {
  const stat = pid === 0 ? undefined : processStat(pid);
  return stat?.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X' ? stat : undefined;
}

/** The process that this is, to be recorded. */
export function thisProcess(): RecordedProcess {
  const pid = native.pid();
  return { pid, startTime: processStat(pid)?.startTime ?? '' };
}

const noProcess: RecordedProcess = { pid: 0, startTime: '' };

/**
 * A pidfd of the recorded process; -1 when it has ended. The pid is verified after the pidfd is there, so that what is
 * signalled through it is the container's process and no other that got its number.
 */
export function openProcess(record: ContainerRecord): number {
  if (record.pid === 0) return -1;
  const fd = native.pidfdOpen(record.pid);
  if (fd === -E.ESRCH) return -1;
  if (fd < 0)
    throw new RuntError({
      code: 'ERR_PROCESS',
      message: `open process ${record.pid}`,
      errno: -fd,
      syscall: 'pidfd_open',
    });
  if (isAlive(record)) return fd;
  native.close(fd);
  return -1;
}

/** How a child of ours ended. */
export class End {
  constructor(
    /** Exit status as a shell gives it: the code, or 128 + signal. */
    readonly status: number,
    /** The signal that ended it; 0 when it exited. */
    readonly signal: number,
  ) {}

  /** The error for a runt-init that ended without a word. */
  unexpected(command: string, id: string, memoryLimit: unknown): RuntError {
    const killed = this.signal === 9;
    return new RuntError({
      code: 'ERR_INIT_DIED',
      message: `${command} ${id}: runt-init ${this.signal ? `was killed by signal ${this.signal}` : `exited with status ${this.status}`} before the container was ready`,
      ...(killed && {
        hint:
          memoryLimit === undefined
            ? 'something outside of runt killed it'
            : `the kernel kills a process when its cgroup is out of memory: memory.limit is ${memoryLimit}`,
        ...(memoryLimit !== undefined && { pointer: '/linux/resources/memory/limit', value: memoryLimit }),
      }),
    });
  }
}

/** Reaps the ended child behind a pidfd; a process that is no child of ours, or still runs, gives status 255. */
export function endOf(pidfd: number): End {
  const out = new Uint8Array(16);
  if (native.waitPidfd(pidfd, out) !== 1) return new End(255, 0);
  const view = new DataView(out.buffer);
  const code = view.getInt32(0, true);
  const status = view.getInt32(8, true);
  return code === CLD_EXITED ? new End(status, 0) : new End(128 + status, status);
}
