/** The claim of a container's id: its state directory with a first record. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { LOCK_NB, LOCK_SH, O_RDONLY } from '../../sys/linux.js';
import { forgetRemoved, lockAttempts, openRoot } from './state-directory.js';
import { type ContainerRecord, stateError } from './state-store.js';
import { saveRecord } from './stored-files.js';

/** The error of making a directory at a path; `r` is -errno. */
function claimError(verb: string, path: string, r: number): RuntError {
  if (r !== -E.EROFS) return stateError(verb, path, r);
  const hint = 'choose another --root, on a file system that can be written to';
  return new RuntError({ code: 'ERR_STATE', message: `${verb} ${path}`, path, errno: -r, hint });
}

/**
 * Makes a new container's state directory, and thereby claims the id.
 * @throws RuntError ERR_CONTAINER_EXISTS, ERR_STATE, ERR_STATE_UNSAFE
 */
export function makeStateDir(root: string, id: string): void {
  const path = `${root}/${id}`;
  const make = (): number => {
    const dir = openRoot(root, true);
    if (dir < 0) {
      throw claimError('make the state root', root, dir);
    }
    return native.mkdirAt(dir, id, 0o700);
  };
  let r = make();
  if (r === -E.ENOENT && forgetRemoved(root)) r = make();
  if (r === -E.EEXIST) {
    throw new RuntError({ code: 'ERR_CONTAINER_EXISTS', message: `container with given ID already exists: ${id}` });
  }
  if (r < 0) throw claimError('make the state directory', path, r);
}

/**
 * Makes a new container's state directory with its record. Calls `claimed` between the two: from then on, an undo must
 * remove the directory. A lock on the root, which the kernel releases if this process is killed, tells others that the
 * directory is not the rest of a killed command.
 * @throws RuntError ERR_CONTAINER_EXISTS, ERR_STATE, ERR_STATE_UNSAFE
 */
export function claimId(root: string, record: ContainerRecord, claimed: () => void): void {
  const dir = openRoot(root, true);
  const lock = dir < 0 ? dir : native.openDirectory(dir, '.', O_RDONLY);
  if (lock < 0) throw claimError('make the state root', root, lock);
  try {
    let r = -E.EAGAIN;
    // A command that finds no record has the lock only for a moment.
    for (let i = 0; r === -E.EAGAIN && i < lockAttempts; i++) r = native.flock(lock, LOCK_SH | LOCK_NB);
    if (r < 0 && r !== -E.EAGAIN) throw stateError('lock the state root', root, r);
    makeStateDir(root, record.id);
    claimed();
    saveRecord(root, record);
  } finally {
    native.close(lock);
  }
}
