/** The end of a foreground `run` that has waited as runt-init (stdio/waiter.ts). */
import { RuntError } from '../sys/error.js';
import { endOf } from './launch/child-end.js';
import type { RunOptions } from './run.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import { removeEnded } from './teardown.js';

/**
 * Reaps the child and removes the container.
 * @param program the name of this program, with the child's pid and pidfd
 * @returns the exit status of the child, or 128 + the signal that killed it
 */
export async function endRun(o: RunOptions, program: string): Promise<number> {
  const [, pid, pidfd] = program.split(':');
  // Before the child is reaped: until then no other container's process has its pid.
  const record = recordOf(o, Number(pid));
  const { status } = endOf(Number(pidfd));
  if (record) await removeEnded('run', o, record);
  return status;
}

/** Undefined if the container was deleted meanwhile, even if another one has its id by now. */
function recordOf({ root, id }: RunOptions, pid: number): ContainerRecord | undefined {
  try {
    const record = loadRecord(root, id);
    return record.pid === pid ? record : undefined;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return undefined;
    throw error;
  }
}
