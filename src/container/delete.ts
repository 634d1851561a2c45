/** `delete`: removal of a container's remains (runtime.md#delete). */
import { checkMounted } from '../cgroup/cgroup-facts.js';
import { RuntError } from '../sys/error.js';
import { endProcess } from './cgroups/end-process.js';
import { statusOf } from './state/recorded-process.js';
import { openRoot } from './state/state-directory.js';
import { type ContainerRecord, isEntry, loadRecord, removeStateDir, withLock } from './state/state-store.js';
import { recordedParts, teardown } from './teardown.js';

interface DeleteOptions {
  readonly root: string;
  readonly id: string;
  /** Kill a running container; ignore an unknown id. */
  readonly force: boolean;
  /** Receives failures of poststop hooks. */
  readonly warn?: (sentence: string) => void;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_CGROUP … */
export async function remove(o: DeleteOptions): Promise<void> {
  try {
    const removed = await withLock(o.root, o.id, () => removeLocked(o));
    if (!removed) await runLeftHooks(o);
    else if (removed.hooks?.poststop) await runPoststopHooks(o);
  } catch (error) {
    if (!(error instanceof RuntError && error.code === 'ERR_NO_CONTAINER')) throw error;
    if (!(await runLeftHooks(o)) && !o.force) throw error;
  }
}

/** Runs the hooks that a killed delete left: it had removed the state, or the record in it. */
async function runLeftHooks(o: DeleteOptions): Promise<boolean> {
  return isEntry(openRoot(o.root), '.deleted') && (await runPoststopHooks(o));
}

async function runPoststopHooks(o: DeleteOptions): Promise<boolean> {
  const { runPoststop } = await import('./hooks/poststop-hooks.js');
  return runPoststop('delete', o.root, o.id, o.warn ?? (() => {}));
}

/** The record. With `force` and a damaged one, the salvaged record; undefined if that has no process. */
async function recordOf(o: DeleteOptions): Promise<ContainerRecord | undefined> {
  try {
    return loadRecord(o.root, o.id);
  } catch (error) {
    if (!o.force || !(error instanceof RuntError)) throw error;
    return (await import('./state/unfinished-create.js')).recordOfRest(o, error);
  }
}

const endsSoon = async (record: ContainerRecord): Promise<boolean> =>
  (await import('./state/ending-process.js')).endsSoon(record);

/** @returns the removed record; undefined if it was unreadable */
async function removeLocked(o: DeleteOptions): Promise<ContainerRecord | undefined> {
  let record = await recordOf(o);
  if (o.force && record?.creator)
    record = await (await import('./state/unfinished-create.js')).endUnfinishedCreate(o.root, record);
  if (!record) {
    removeStateDir(o.root, o.id);
    return undefined;
  }
  // First: processes in a cgroup that is not mounted would survive.
  checkMounted(record.cgroups);
  const status = statusOf(o.root, record);
  if (status !== 'stopped' && status !== 'created' && !o.force && !(await endsSoon(record))) {
    throw (await import('./failure/delete-failure.js')).notStopped(o.id, status);
  }
  // Without a pid namespace, or with a unit, the delete kills a whole tree of cgroups.
  if (!record.pidNamespace || record.unit) {
    (await import('./cgroups/occupants.js')).checkExclusive(o.root, o.id, record.cgroups, record.unit?.name);
  }
  await teardown({
    command: 'delete',
    root: o.root,
    id: o.id,
    warn: o.warn,
    ...recordedParts(record),
    endProcesses: status === 'stopped' ? [] : [() => endProcess('delete', record, status)],
    // A killed create left a runt-init, which ends by itself.
    othersInCgroups: !record.pidNamespace || record.status === 'creating',
    endOccupants: async () => {
      if (o.force) await (await import('./cgroups/occupants.js')).endOccupants(o.root, o.id, record.cgroups);
    },
  });
  return record;
}
