/** `kill`: a signal to the init process, or to all processes of the container (runtime.md#kill). */
import { checkMounted, isCgroup } from '../cgroup/facts.js';
import { thaw } from '../cgroup/freezer.js';
import { pidsIn } from '../cgroup/procs.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { processStat } from '../sys/procfs.js';
import { checkNamespace, holdProcess, statusOf } from './process.js';
import { load } from './store.js';

const SIGKILL = 9;

export interface KillOptions {
  readonly root: string;
  readonly id: string;
  readonly signal: number;
  /** All processes of the container's cgroup, or without one of its pid namespace; a container that has stopped is fine then. */
  readonly all: boolean;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_PROCESS */
export async function kill(o: KillOptions): Promise<void> {
  const record = load(o.root, o.id);
  if (o.all || !record.pidNamespace) checkMounted(record.cgroups);
  if (o.all) {
    if (record.cgroups.length === 0) {
      const { pidsWithoutCgroup } = await import('./pids.js');
      signalEach(() => pidsWithoutCgroup(record), o.signal);
    } else {
      // Somebody may have moved it to another cgroup.
      const init = holdProcess(record);
      const outside = init && !record.cgroups.some((path) => pidsIn(path, true).includes(record.pid));
      // The kernel lists no process of a pid namespace that runt cannot see into; cgroup.kill reaches it.
      if (!killAll(record.cgroups, o.signal) && !init) checkNamespace(record);
      const r = outside ? init.signal(o.signal) : 0;
      init?.close();
      if (r !== -E.ESRCH) check(r, failed(o, record.pid));
    }
    if (o.signal === SIGKILL) thaw(record.cgroups);
    return;
  }
  const process = holdProcess(record);
  if (!process) {
    // Without a pid namespace what it began may be there still.
    if (o.signal === SIGKILL && !record.pidNamespace && record.cgroups.some((path) => pidsIn(path, true).length > 0)) {
      killAll(record.cgroups, SIGKILL);
      thaw(record.cgroups);
      return;
    }
    const status = statusOf(o.root, record);
    throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id} is ${status}` });
  }
  const r = process.signal(o.signal);
  process.close();
  // Without a pid namespace of its own what it began would outlive it (runc since 1.2).
  if (r >= 0 && o.signal === SIGKILL && !record.pidNamespace) killAll(record.cgroups, SIGKILL);
  // As runc: a frozen process of v1 would not even die.
  if (r >= 0 && o.signal === SIGKILL) thaw(record.cgroups);
  if (r === -E.ESRCH) throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id}` });
  check(r, { ...failed(o, record.pid), syscall: process.fd < 0 ? 'kill' : 'pidfd_send_signal' });
}

const failed = (o: KillOptions, pid: number) => ({
  code: 'ERR_PROCESS',
  message: `kill ${o.id}: send signal ${o.signal} to process ${pid}`,
});

/**
 * Signals every process that a container's cgroups hold. KILL goes through `cgroup.kill`, which also ends what is forked
 * meanwhile.
 * @returns whether there was a process to signal, or `cgroup.kill` was written
 * @throws RuntError ERR_PROCESS when one could not be signalled, after all others were; ERR_CGROUP
 */
export function killAll(cgroups: readonly string[], signal: number): boolean {
  let reached = false;
  for (const path of cgroups) {
    const killed = signal === SIGKILL && killTree(path);
    if (killed || signalEach(() => pidsIn(path, true), signal)) reached = true;
  }
  return reached;
}

/**
 * Signals every process of a set. Each is opened by pidfd and looked up again before it is signalled: it is that
 * process then, and not another one that got its number.
 * @returns whether there was any
 * @throws RuntError ERR_PROCESS when one could not be signalled, after all others were
 */
function signalEach(pids: () => readonly number[], signal: number): boolean {
  const failed = new Map<number, number>();
  const all = pids();
  for (const pid of all) {
    const r = signalMember(pid, signal, () => pids().includes(pid));
    if (r < 0 && r !== -E.ESRCH) failed.set(r, pid);
  }
  for (const [r, pid] of failed) check(r, { code: 'ERR_PROCESS', message: `send signal ${signal} to process ${pid}` });
  return all.length > 0;
}

function signalMember(pid: number, signal: number, isMember: () => boolean): number {
  const fd = native.pidfdOpen(pid);
  if (fd < 0 && fd !== -E.ENOSYS) return fd;
  const r = fd < 0 ? fd : isMember() ? native.pidfdSignal(fd, signal) : -E.ESRCH;
  if (fd >= 0) native.close(fd);
  if (r !== -E.ENOSYS) return r;
  // A seccomp filter refuses the call: kill(2), right after it was seen that the process is the one that is a member.
  const startTime = processStat(pid)?.startTime;
  const same = startTime !== undefined && isMember() && processStat(pid)?.startTime === startTime;
  return same ? native.killProcess(pid, signal) : -E.ESRCH;
}

/** Kills all in a v2 cgroup and below (cgroups(7); Linux 5.14). False on v1, before, and in a threaded cgroup. */
export function killTree(path: string): boolean {
  return isCgroup(path) && native.writeFile(AT_FDCWD, `${path}/cgroup.kill`, 0, 0, host.encode('1')) >= 0;
}
