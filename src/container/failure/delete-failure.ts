/** The errors of a `delete` that cannot remove a container; loaded on demand. */
import { RuntError } from '../../sys/error.js';

/** The error for a container that runs, or is paused. */
export const notStopped = (id: string, status: string): RuntError =>
  new RuntError({
    code: 'ERR_CONTAINER_STATUS',
    message: `cannot delete container ${id} that is not stopped: ${status}`,
    hint: `run "runt stop ${id}" first, or "runt delete --force ${id}", which kills it`,
  });
