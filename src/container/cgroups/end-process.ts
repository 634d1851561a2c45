/** The end of a container's process by KILL. */
import { findFrozen, thaw } from '../../cgroup/freezer.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { SIGKILL } from '../../sys/linux.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { holdProcess } from '../state/recorded-process.js';
import type { ContainerRecord, Status } from '../state/state-store.js';
import { killAll, killTree } from './kill-all.js';

/** Kills the container's process and waits for its end. @throws RuntError ERR_PROCESS, ERR_CGROUP */
export async function endProcess(command: string, record: ContainerRecord, status: Status): Promise<void> {
  const { id, pid, cgroups } = record;
  const process = holdProcess(record);
  if (!process) return;
  const what = `${command} ${id}: `;
  try {
    const r = process.signal(SIGKILL, () => cgroups.some(killTree));
    if (r !== -E.ESRCH) check(r, { code: 'ERR_PROCESS', message: `${what}kill its process ${pid}`, syscall: 'kill' });
    if (status !== 'created') {
      // Frozen processes end only when thawed; any not yet killed would run on.
      if (!record.pidNamespace) killAll(cgroups, SIGKILL);
      thaw(cgroups);
    }
    // On v1 it ends only when the cgroup above is thawed, which may never happen.
    const freezer = findFrozen(cgroups);
    if (await process.waitForEnd(freezer && !freezer.v2 ? 0 : killedProcessTime)) return;
    if (freezer) {
      const { frozenError } = await import('../../cgroup/frozen-ancestor.js');
      throw frozenError(`${what}its process ${pid} was killed, and is frozen`, freezer.directory);
    }
    throw new RuntError({ code: 'ERR_PROCESS', message: `${what}its process ${pid} was killed and does not end` });
  } finally {
    process.close();
  }
}
