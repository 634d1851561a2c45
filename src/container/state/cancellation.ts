/** Deletion of a container while another command creates it, or waits for it. */
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { O_CREAT } from '../../sys/linux.js';
import { withState } from './state-directory.js';
import { type ContainerRecord, isEntry, loadRecord, withLock } from './state-store.js';

/** Says that `delete --force` has killed the process of a container that is being created: its create undoes itself. */
const mark = 'cancelled';

export function markCancelled(root: string, id: string): void {
  withState(root, id, (dir) => dir >= 0 && native.writeFile(dir, mark, O_CREAT, 0o600, new Uint8Array(0)));
}

const isMarked = (root: string, id: string): boolean => withState(root, id, (dir) => dir >= 0 && isEntry(dir, mark));

/** A container, identified by its process too: another one may have its id by now. */
type Identity = Pick<ContainerRecord, 'id' | 'pid' | 'startTime'>;

/**
 * Whether the container was deleted. Waits for the lock first: a delete kills the process before it removes the state.
 * An unreadable state is not known to be deleted.
 */
export async function wasDeleted(root: string, { id, pid, startTime }: Identity): Promise<boolean> {
  try {
    return await withLock(root, id, async () => {
      const current = loadRecord(root, id);
      return current.pid !== pid || current.startTime !== startTime;
    });
  } catch (error) {
    return error instanceof RuntError && error.code === 'ERR_NO_CONTAINER';
  }
}

export const cancelledError = (what: string, cause?: unknown): RuntError =>
  new RuntError({
    code: 'ERR_CANCELLED',
    message: `${what}: another command deleted the container meanwhile`,
    // As of a process that KILL has ended.
    exit: 128 + 9,
    ...(cause !== undefined && { cause }),
  });

/** What a command has read of its container's record. */
type Known = Pick<ContainerRecord, 'id'> & Partial<ContainerRecord>;

/** Failures of a command whose container vanishes. */
const consequences: readonly string[] = ['ERR_INIT_DIED', 'ERR_SUPERVISOR', 'ERR_STATUS_LOST', 'ERR_NO_CONTAINER'];

/**
 * The cause of a failure, before its undo: ERR_CANCELLED if the container was deleted meanwhile, otherwise the failure
 * itself.
 */
export async function causeOf(what: string, root: string, container: Known, error: unknown): Promise<unknown> {
  const { id, status, pid = 0, startTime = '' } = container;
  const isCancelled =
    status === 'creating'
      ? isMarked(root, id)
      : error instanceof RuntError &&
        consequences.includes(error.code) &&
        (await wasDeleted(root, { id, pid, startTime }));
  return isCancelled ? cancelledError(what, error) : error;
}
