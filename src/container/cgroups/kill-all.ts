/** Signals to all processes of a container's cgroups. */
import { isCgroup } from '../../cgroup/cgroup-facts.js';
import { pidsIn } from '../../cgroup/cgroup-processes.js';
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, SIGKILL } from '../../sys/linux.js';
import { processStat } from '../../sys/procfs.js';

/**
 * Signals every process in a container's cgroups. KILL uses `cgroup.kill`, which also kills concurrent forks.
 * @returns whether there was a process to signal, or `cgroup.kill` was written
 * @throws RuntError ERR_PROCESS if one could not be signalled, after all others were; ERR_CGROUP
 */
export function killAll(cgroups: readonly string[], signal: number): boolean {
  const rest = signal === SIGKILL ? cgroups.filter((path) => !killTree(path)) : cgroups;
  // Every hierarchy of v1 holds the same processes: each process gets the signal once.
  const pids = new Set(rest.flatMap((path) => pidsIn(path, true)));
  const isMember = (pid: number): boolean => rest.some((path) => pidsIn(path, true).includes(pid));
  return signalEach([...pids], signal, isMember) || rest.length < cgroups.length;
}

/**
 * Signals every process of a set. Opens a pidfd of each and then looks it up again, so that no signal reaches another
 * process that reuses the pid.
 * @returns whether there was any
 * @throws RuntError ERR_PROCESS, or the error of `isMember`, if one could not be signalled; the others are
 */
export function signalEach(all: readonly number[], signal: number, isMember: (pid: number) => boolean): boolean {
  const errors: unknown[] = [];
  for (const pid of all) {
    try {
      const r = signalMember(pid, signal, () => isMember(pid));
      if (r !== -E.ESRCH) check(r, { code: 'ERR_PROCESS', message: `send signal ${signal} to process ${pid}` });
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return all.length > 0;
}

function signalMember(pid: number, signal: number, isMember: () => boolean): number {
  const fd = native.pidfdOpen(pid);
  if (fd < 0 && fd !== -E.ENOSYS) return fd;
  let r = fd;
  try {
    if (fd >= 0) r = isMember() ? native.pidfdSignal(fd, signal) : -E.ESRCH;
  } finally {
    if (fd >= 0) native.close(fd);
  }
  if (r !== -E.ENOSYS) return r;
  // A seccomp filter refuses the call: use kill(2) right after the check that the process is still the member.
  const startTime = processStat(pid)?.startTime;
  const isSame = startTime !== undefined && isMember() && processStat(pid)?.startTime === startTime;
  return isSame ? native.killProcess(pid, signal) : -E.ESRCH;
}

/** Kills all in a v2 cgroup and below (cgroups(7); Linux 5.14). False on v1, older kernels and a threaded cgroup. */
export function killTree(path: string): boolean {
  return isCgroup(path) && native.writeFile(AT_FDCWD, `${path}/cgroup.kill`, 0, 0, host.encode('1')) >= 0;
}
