/** The errors of a `delete` that cannot remove a container; loaded on demand. */
import { RuntError } from '../../sys/error.js';

/** The error for a container that runs, or is paused. */
export const notStopped = (id: string, status: string): RuntError =>
  new RuntError({
    code: 'ERR_CONTAINER_STATUS',
    message: `cannot delete container ${id} that is not stopped: ${status}`,
    hint: `run "runt delete --force ${id}", or "runt kill ${id} KILL" first: TERM ends the first process of a pid namespace only if it handles TERM`,
  });
