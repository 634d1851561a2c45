/** The init process of a container: is it still the one we started, what does it do, how is it signalled. */

import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { type ContainerRecord, type Status, startSocket } from './store.js';

/** State letter and start time (clock ticks since boot) of a process; undefined when there is none. proc_pid_stat(5) */
export function processStat(pid: number): { state: string; startTime: string } | undefined {
  const buffer = new Uint8Array(1024);
  const n = native.readFile(AT_FDCWD, `/proc/${pid}/stat`, buffer);
  if (n <= 0) return undefined;
  const text = host.decode(buffer, n);
  // The command's name may hold anything, parentheses too: the last one ends it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] as string, startTime: fields[19] as string };
}

/** What the container does now, from its record and its process. */
export function statusOf(root: string, record: ContainerRecord): Status {
  const alive = isAlive(record);
  if (record.status === 'creating') return alive || record.pid === 0 ? 'creating' : 'stopped';
  if (!alive) return 'stopped';
  return native.access(`${root}/${record.id}/${startSocket}`, 0) === 0 ? 'created' : 'running';
}

/** Whether the recorded process still runs: same pid, same start time, no zombie. */
export function isAlive(record: ContainerRecord): boolean {
  if (record.pid === 0) return false;
  const stat = processStat(record.pid);
  return stat !== undefined && stat.startTime === record.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

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

/** Waits until the process of a pidfd has ended. @returns false when it still runs after timeout ms */
export function awaitEnd(pidfd: number, timeout: number): boolean {
  const fds = new Uint8Array(new Int32Array([pidfd]).buffer);
  return native.poll(fds, new Uint8Array(1), timeout) > 0;
}
