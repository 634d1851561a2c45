/** The poststop hooks of deleted containers, and the records of those that have not run (runtime.md#lifecycle). */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { O_RDONLY } from '../../sys/linux.js';
import { lock } from '../../sys/waiting/file-lock.js';
import { poststopLockTime } from '../../sys/waiting/time-limits.js';
import { openBelow, openRoot, readEntry } from '../state/state-directory.js';
import { type ContainerRecord, isEntry, parseState } from '../state/state-store.js';
import { writeState } from '../state/stored-files.js';
import { hookState, runHook } from './run-hooks.js';

type Warn = (sentence: string) => void;

const directory = '.deleted';

/** Opens and checks the directory of all records, which the caller closes; -errno if it is missing. */
function openAll(root: string): number {
  const dir = openRoot(root);
  return dir < 0 ? dir : openBelow(dir, directory, `${root}/${directory}`);
}

/**
 * Stores a record in `<root>/.deleted/<id>/state.json` (an id does not begin with a dot) before the state is removed:
 * if this delete is killed, the next one runs the hooks. First runs those of an earlier container with that id.
 */
export async function storeForPoststop(
  command: string,
  root: string,
  record: ContainerRecord,
  warn: Warn,
): Promise<void> {
  const { id } = record;
  const earlier = readRecord(root, id, warn);
  if (earlier && (earlier.created !== record.created || earlier.pid !== record.pid))
    await runPoststop(command, root, id, warn);
  const r = storeRecord(root, record);
  if (r >= 0) return;
  throw new RuntError({
    code: 'ERR_STATE',
    message: `store the poststop hooks in ${root}/${directory}/${id}`,
    path: `${root}/${directory}/${id}`,
    errno: -r,
  });
}

function storeRecord(root: string, record: ContainerRecord): number {
  const { id } = record;
  native.mkdirAt(openRoot(root), directory, 0o700);
  const all = openAll(root);
  if (all < 0) return all;
  native.mkdirAt(all, id, 0o700);
  const dir = openOne(root, all, id);
  const r = writeState(dir, record);
  if (dir >= 0) native.close(dir);
  return r;
}

/**
 * Runs the stored hooks of an id. Warns of a failed one and continues.
 * @returns whether there were any that no other process is running
 */
export async function runPoststop(command: string, root: string, id: string, warn: Warn): Promise<boolean> {
  const all = openAll(root);
  const path = `${root}/${directory}/${id}`;
  const facts = { code: 'ERR_STATE', message: `open the poststop hooks ${path}`, path };
  if (all === -E.ENOENT) return false;
  check(all, facts);
  let dir = -1;
  try {
    dir = openBelow(all, id, path, O_RDONLY);
    if (dir === -E.ENOENT) return false;
    check(dir, facts);
    // The child of a killed delete holds the lock until it executes the hook.
    const taken = await lock(dir, poststopLockTime);
    if (taken === -E.EAGAIN) return false;
    check(taken, { ...facts, message: `lock the poststop hooks ${path}`, syscall: 'flock' });
    // Read under the lock: the previous holder has run the hooks and removed the directory.
    const record = recordIn(dir, id, path, warn);
    if (!record && !isEntry(all, id)) return false;
    const state = record && hookState(record, 'stopped');
    for (const [i, hook] of (record?.hooks?.poststop ?? []).entries()) {
      try {
        await runHook(command, { point: 'poststop', index: i }, hook, state!, warn);
      } catch (error) {
        warn(error instanceof RuntError ? error.message : String(error));
      }
    }
    const r = native.removeTree(all, id);
    if (r < 0) {
      const { message } = new RuntError({ ...facts, message: `remove the poststop hooks ${path}`, errno: -r });
      warn(`${command} ${id}: ${message}; the next delete of ${id} runs them again`);
    }
    return true;
  } finally {
    for (const fd of [dir, all]) if (fd >= 0) native.close(fd);
  }
}

function readRecord(root: string, id: string, warn: Warn): ContainerRecord | undefined {
  const all = openAll(root);
  if (all < 0) return undefined;
  const dir = openOne(root, all, id);
  if (dir < 0) return undefined;
  const record = recordIn(dir, id, `${root}/${directory}/${id}`, warn);
  native.close(dir);
  return record;
}

/** Opens the directory of one record, and closes that of all. */
function openOne(root: string, all: number, id: string): number {
  try {
    return openBelow(all, id, `${root}/${directory}/${id}`);
  } finally {
    native.close(all);
  }
}

/** The record; undefined if it is missing, or unusable, which is a warning. @throws RuntError ERR_STATE */
function recordIn(dir: number, id: string, path: string, warn: Warn): ContainerRecord | undefined {
  const warnLost = (why: string): void => warn(`the poststop hooks of ${id} were lost: ${path}/state.json: ${why}`);
  const content = readEntry(dir, 'state.json');
  if ('errno' in content && content.errno !== E.ENOENT) {
    throw new RuntError({
      code: 'ERR_STATE',
      message: `read the poststop hooks ${path}`,
      path,
      errno: content.errno,
    });
  }
  if ('why' in content) warnLost(content.why);
  try {
    return 'data' in content ? parseState(content.data, id, path) : undefined;
  } catch (error) {
    warnLost((error as Error).message);
    return undefined;
  }
}
