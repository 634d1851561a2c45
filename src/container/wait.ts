/** `wait`: how a supervised container, or a process executed in it, has ended. */
import { RuntError } from '../sys/error.js';
import { stay } from '../sys/loop.js';
import { holdProcess } from './process.js';
import { load } from './store.js';
import { awaitExitRecord, type ExitRecord, statusLost } from './supervisor.js';

export interface WaitOptions {
  readonly root: string;
  readonly id: string;
  /** An exec's pid; the container's init process when absent. */
  readonly pid?: number;
}

/**
 * Waits until the process has ended. The status is the one that its parent saw, never one that was made up.
 * @throws RuntError ERR_NO_CONTAINER, ERR_NOT_SUPERVISED, ERR_STATUS_LOST when the supervisor was killed first
 */
export async function wait(o: WaitOptions): Promise<ExitRecord> {
  const record = load(o.root, o.id);
  if (!record.supervisor) {
    throw new RuntError({
      code: 'ERR_NOT_SUPERVISED',
      message: `wait ${o.id}: nobody keeps how this container ends`,
      hint: 'only the parent of a process sees its status: create it with --supervise, or ask who ran runt',
    });
  }
  stay();
  if (o.pid === undefined) {
    const process = holdProcess(record);
    await process?.ended();
    process?.close();
  }
  const ended = await awaitExitRecord(`${o.root}/${o.id}`, record.supervisor, o.pid);
  if (ended) return ended;
  throw statusLost(`wait ${o.id}`, o.pid);
}
