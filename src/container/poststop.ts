/**
 * The poststop hooks of a container, which run when it is deleted (runtime.md#lifecycle). Its record waits in
 * `<root>/.deleted/<id>/state.json` meanwhile (an id does not begin with a dot), so that the next delete runs those of a delete that was killed.
 */
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { exists, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, LOCK_EX, LOCK_NB, O_RDONLY } from '../sys/linux.js';
import { hookState, runHook } from './hooks.js';
import type { ContainerRecord } from './store.js';

type Warn = (sentence: string) => void;

const directory = (root: string): string => `${root}/.deleted`;
const place = (root: string, id: string): string => `${directory(root)}/${id}`;
const file = (root: string, id: string): string => `${place(root, id)}/state.json`;

/**
 * Keeps the record of a container that is being deleted; to be called before its state is removed. Another one of the
 * same name, whose delete was killed, gets its hooks first.
 */
export async function keepForPoststop(
  command: string,
  root: string,
  record: ContainerRecord,
  warn: Warn,
): Promise<void> {
  const { id } = record;
  const kept = read(root, id);
  if (kept && (kept.created !== record.created || kept.pid !== record.pid)) await runPoststop(command, root, id, warn);
  native.mkdirAt(AT_FDCWD, directory(root), 0o700);
  native.mkdirAt(AT_FDCWD, place(root, id), 0o700);
  const r = native.replaceFile(AT_FDCWD, file(root, id), 0o600, host.encode(JSON.stringify(record)));
  if (r < 0)
    throw new RuntError({ code: 'ERR_STATE', message: 'keep the poststop hooks', path: file(root, id), errno: -r });
}

/**
 * Runs the hooks that are kept for an id; one that fails is a warning, and the others run.
 * @returns whether there were any and nobody else is running them
 */
export async function runPoststop(command: string, root: string, id: string, warn: Warn): Promise<boolean> {
  const path = place(root, id);
  const fd = native.openAt(AT_FDCWD, path, O_RDONLY, 0);
  if (fd === -E.ENOENT) return false;
  check(fd, { code: 'ERR_STATE', message: `open the poststop hooks of ${id}`, path, syscall: 'open' });
  try {
    // Looked for again under the lock: whoever had it has run them and removed the directory.
    const lock = native.flock(fd, LOCK_EX | LOCK_NB);
    if (lock === -E.EAGAIN) return false;
    check(lock, { code: 'ERR_STATE', message: `lock the poststop hooks of ${id}`, path, syscall: 'flock' });
    if (!exists(path)) return false;
    const record = read(root, id);
    const state = record && hookState(record, 'stopped');
    for (const [i, hook] of (record?.hooks?.poststop ?? []).entries()) {
      try {
        await runHook(command, `poststop/${i}`, hook, state!);
      } catch (error) {
        warn(error instanceof RuntError ? error.message : String(error));
      }
    }
    native.removeTree(AT_FDCWD, path);
    return true;
  } finally {
    native.close(fd);
  }
}

/** Undefined when there is none, or it is damaged. */
function read(root: string, id: string): ContainerRecord | undefined {
  const text = tryReadText(file(root, id));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as ContainerRecord);
  } catch {
    return undefined;
  }
}
