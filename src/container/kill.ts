/** `kill`: a signal to the init process, or to all processes of the container (runtime.md#kill). */
import { checkMounted } from '../cgroup/cgroup-facts.js';
import { pidsIn } from '../cgroup/cgroup-processes.js';
import { thaw } from '../cgroup/freezer.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { SIGKILL } from '../sys/linux.js';
import { killAll, signalEach } from './cgroups/kill-all.js';
import { checkNamespace, holdProcess, statusOf } from './state/recorded-process.js';
import { loadRecord } from './state/state-store.js';

interface KillOptions {
  readonly root: string;
  readonly id: string;
  readonly signal: number;
  /** All processes of the container's cgroup or, without one, its pid namespace; ignores a stopped container. */
  readonly all: boolean;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_PROCESS */
export async function kill(o: KillOptions): Promise<void> {
  const record = loadRecord(o.root, o.id);
  if (o.all || !record.pidNamespace) checkMounted(record.cgroups);
  if (o.all) {
    if (record.cgroups.length === 0) {
      const { pidsWithoutCgroup } = await import('./cgroups/pids-without-cgroup.js');
      signalEach(pidsWithoutCgroup(record), o.signal, (pid) => pidsWithoutCgroup(record).includes(pid));
    } else {
      // Another program may have moved it to another cgroup.
      const init = holdProcess(record);
      try {
        const outside = init && !record.cgroups.some((path) => pidsIn(path, true).includes(record.pid));
        // The kernel does not list processes of a pid namespace outside of runt's; cgroup.kill reaches them.
        if (!killAll(record.cgroups, o.signal) && !init) checkNamespace(record);
        const r = outside ? init.signal(o.signal) : 0;
        if (r !== -E.ESRCH) check(r, killFailure(o, record.pid));
      } finally {
        init?.close();
      }
    }
    if (o.signal === SIGKILL) thaw(record.cgroups);
    return;
  }
  const process = holdProcess(record);
  if (!process) {
    // Without a pid namespace, its descendants may still run.
    if (o.signal === SIGKILL && !record.pidNamespace && record.cgroups.some((path) => pidsIn(path, true).length > 0)) {
      killAll(record.cgroups, SIGKILL);
      thaw(record.cgroups);
      return;
    }
    const isEarly = record.status === 'creating';
    const status = statusOf(o.root, record);
    // The create has ended since the record was read.
    if (isEarly && record.status === 'created') return kill(o);
    throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id} is ${status}` });
  }
  const r = process.signal(o.signal);
  process.close();
  // Without its own pid namespace, its descendants would outlive it (runc since 1.2).
  if (r >= 0 && o.signal === SIGKILL && !record.pidNamespace) killAll(record.cgroups, SIGKILL);
  // As runc does: a frozen process on v1 would not even die.
  if (r >= 0 && o.signal === SIGKILL) thaw(record.cgroups);
  if (r === -E.ESRCH) throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id}` });
  check(r, { ...killFailure(o, record.pid), syscall: process.fd < 0 ? 'kill' : 'pidfd_send_signal' });
}

const killFailure = (o: KillOptions, pid: number) => ({
  code: 'ERR_PROCESS',
  message: `kill ${o.id}: send signal ${o.signal} to process ${pid}`,
});
