/** A container that another process still creates, for `delete --force`. */
import { RuntError } from '../../sys/error.js';
import { SIGKILL } from '../../sys/linux.js';
import { pollUntil } from '../../sys/waiting/loop.js';
import { unfinishedCreateTime } from '../../sys/waiting/time-limits.js';
import { markCancelled } from './cancellation.js';
import { holdProcess, isAlive } from './recorded-process.js';
import { openRoot } from './state-directory.js';
import { type ContainerRecord, isEntry, loadRecord } from './state-store.js';

/**
 * Kills the container's process and waits until its create has ended or undone itself. Otherwise the create could make
 * a cgroup after the delete, and be killed before it finds that its state was removed. After the deadline (a hook
 * hangs), the delete goes on.
 * @returns the record of then
 * @throws RuntError ERR_NO_CONTAINER if the create has removed it
 */
export async function endUnfinishedCreate(root: string, record: ContainerRecord): Promise<ContainerRecord> {
  // Before the signal: the create looks for it when its process has ended.
  markCancelled(root, record.id);
  const process = holdProcess(record);
  process?.signal(SIGKILL);
  process?.close();
  await pollUntil(() => !isCreating(root, record), unfinishedCreateTime);
  return loadRecord(root, record.id);
}

/** Whether the create goes on. A record that cannot be read is not its work. */
function isCreating(root: string, { id, creator }: ContainerRecord): boolean {
  if (!creator || !isAlive(creator)) return false;
  try {
    return loadRecord(root, id).status === 'creating';
  } catch (error) {
    if (error instanceof RuntError) return false;
    throw error;
  }
}

/**
 * The record of a directory that has none, under the container's lock: a create that goes on may be the one that made
 * it. An error as of loadRecord if there is none; ERR_STATE_CORRUPT if creates of others go on until the deadline.
 */
async function awaitRecord(root: string, id: string): Promise<ContainerRecord | RuntError> {
  let result: ContainerRecord | RuntError | undefined;
  const isKnown = await pollUntil(() => {
    try {
      result = loadRecord(root, id);
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
      result = error;
      return error.code !== 'ERR_NO_CONTAINER' || !isEntry(openRoot(root), id);
    }
    return true;
  }, unfinishedCreateTime);
  if (isKnown && result) return result;
  const message = `the state of container ${id} cannot be used: it has no state.json`;
  return new RuntError({ code: 'ERR_STATE_CORRUPT', message, path: `${root}/${id}` });
}

/**
 * The record for `delete --force` after the error of loadRecord. Undefined if the state names no process.
 * @throws RuntError the error, if it is another one than that of a damaged state; those of salvagedRecord
 */
export async function recordOfRest(
  o: { readonly root: string; readonly id: string; readonly warn?: (sentence: string) => void },
  error: RuntError,
): Promise<ContainerRecord | undefined> {
  let why = error;
  if (why.code === 'ERR_NO_CONTAINER') {
    const found = await awaitRecord(o.root, o.id);
    if (!(found instanceof RuntError)) return found;
    why = found;
  }
  if (why.code !== 'ERR_STATE_CORRUPT' && why.code !== 'ERR_STATE_VERSION') throw why;
  return (await import('./salvaged-cgroups.js')).salvagedRecord(o.root, o.id, why.message, o.warn);
}
