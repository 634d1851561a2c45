/** Processes that were killed, or exit, and have not ended yet. */
import { findFrozen } from '../../cgroup/freezer.js';
import { PF_EXITING, PF_SIGNALED, SIGKILL } from '../../sys/linux.js';
import { processStat } from '../../sys/procfs.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { holdProcess } from './recorded-process.js';
import type { ContainerRecord } from './state-store.js';

/** SIGKILL in the mask of pending signals. */
const PENDING_KILL = 1 << (SIGKILL - 1);

/**
 * Waits for the end of a container's process that is about to end: `kill ID KILL` returns when the signal is sent, and
 * the kernel may need seconds to take a large process, or all of a pid namespace, apart.
 * @returns whether it has ended; false at once if nothing ends it
 * @throws RuntError ERR_PROCESS, ERR_CGROUP
 */
export async function endsSoon(record: ContainerRecord): Promise<boolean> {
  const process = holdProcess(record);
  // While it has no process yet, the create goes on. If that has ended since, the record is an old one.
  if (!process) return !record.creator;
  try {
    // Twice: the kernel clears the pending signal a moment before it sets the flag.
    if (!isEnding(record) && !isEnding(record)) return false;
    // A frozen process of v1 ends only when thawed.
    const frozen = findFrozen(record.cgroups);
    return await process.waitForEnd(frozen && !frozen.v2 ? 0 : killedProcessTime);
  } finally {
    process.close();
  }
}

function isEnding({ pid, startTime }: ContainerRecord): boolean {
  const stat = processStat(pid);
  if (stat?.startTime !== startTime) return true;
  // The first thread may exit alone; then only a signal ends the others.
  const mask = stat.state === 'Z' ? PF_SIGNALED : PF_EXITING | PF_SIGNALED;
  return (Number(stat.flags) & mask) !== 0 || (Number(stat.pending) & PENDING_KILL) !== 0;
}
