/** `kill`: a signal to the init process, or to all processes of the container (runtime.md#kill). */
import { isCgroup } from '../cgroup/facts.js';
import { thaw } from '../cgroup/freezer.js';
import { pidsIn } from '../cgroup/procs.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { openProcess, statusOf } from './process.js';
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
  if (o.all) {
    if (record.cgroups.length === 0) (await import('./pids.js')).signalWithoutCgroup(record, o.signal);
    else killAll(record.cgroups, o.signal);
    if (o.signal === SIGKILL) thaw(record.cgroups);
    return;
  }
  const pidfd = openProcess(record);
  if (pidfd < 0) {
    // Without a pid namespace what it began may be there still.
    if (o.signal === SIGKILL && !record.pidNamespace && record.cgroups.some((path) => pidsIn(path, true).length > 0)) {
      killAll(record.cgroups, SIGKILL);
      thaw(record.cgroups);
      return;
    }
    const status = statusOf(o.root, record);
    throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id} is ${status}` });
  }
  const r = native.pidfdSignal(pidfd, o.signal);
  native.close(pidfd);
  // Without a pid namespace of its own what it began would outlive it (runc since 1.2).
  if (r >= 0 && o.signal === SIGKILL && !record.pidNamespace) killAll(record.cgroups, SIGKILL);
  // As runc: a frozen process of v1 would not even die.
  if (r >= 0 && o.signal === SIGKILL) thaw(record.cgroups);
  if (r === -E.ESRCH) throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id}` });
  if (r < 0)
    throw new RuntError({
      code: 'ERR_PROCESS',
      message: `kill ${o.id}: signal ${o.signal}`,
      errno: -r,
      syscall: 'pidfd_send_signal',
    });
}

/**
 * Signals every process that a container's cgroups hold. KILL goes through `cgroup.kill`, which also ends what is forked
 * meanwhile. Else each is opened by pidfd and looked up again before it is signalled: it is that process then, and no
 * other that got its number.
 */
export function killAll(cgroups: readonly string[], signal: number): void {
  for (const path of cgroups) {
    if (signal === SIGKILL && killTree(path)) continue;
    for (const pid of pidsIn(path, true)) {
      const fd = native.pidfdOpen(pid);
      if (fd < 0) continue;
      if (pidsIn(path, true).includes(pid)) native.pidfdSignal(fd, signal);
      native.close(fd);
    }
  }
}

/** Kills all in a v2 cgroup and below (cgroups(7); Linux 5.14). False on v1, before, and in a threaded cgroup. */
function killTree(path: string): boolean {
  return isCgroup(path) && native.writeFile(AT_FDCWD, `${path}/cgroup.kill`, 0, 0, host.encode('1')) >= 0;
}
