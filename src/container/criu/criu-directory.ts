/** The directories of a checkpoint: its images and criu's log. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { makeDir, tryReadText, tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH, S_IFDIR, S_IFMT } from '../../sys/linux.js';

/** File of the image directory with the targets of descriptors 0 to 2, as runc writes it. */
export const descriptorsFile = 'descriptors.json';

/** Makes a directory and its parents with mode 0700: they will hold the container's memory. */
export function makeImageDirectory(path: string): void {
  const missing: string[] = [];
  for (let at = path; at !== '' && !tryStat(at); at = at.slice(0, at.lastIndexOf('/'))) missing.unshift(at);
  for (const directory of missing) makeDir(directory, 0o700);
}

/** Opens a directory for criu, which finds it by descriptor number. @throws RuntError ERR_CRIU */
export function openDirectory(what: string, flag: string, path: string): number {
  const stat = tryStat(path);
  const failed = { code: 'ERR_CRIU', message: `${what}: open the directory of ${flag}, ${path}`, path };
  if (!stat) throw new RuntError({ ...failed, errno: E.ENOENT });
  if ((stat.mode & S_IFMT) !== S_IFDIR) throw new RuntError({ ...failed, errno: E.ENOTDIR });
  return check(native.openAt(AT_FDCWD, path, 0, 0), failed);
}

/** Checks that `--parent-path` is relative to the images and exists. @throws RuntError ERR_USAGE */
export function checkParent(what: string, images: string, parent: string): void {
  const wrong = parent.startsWith('/') ? 'must be relative to --image-path' : 'is not a directory';
  const stat = parent.startsWith('/') ? undefined : tryStat(`${images}/${parent}`);
  if (stat && (stat.mode & S_IFMT) === S_IFDIR) return;
  throw new RuntError({ code: 'ERR_USAGE', message: `${what}: --parent-path ${JSON.stringify(parent)} ${wrong}` });
}

/** Text of a criu log; '' if it is missing or too long to read. */
export function readLog(path: string): string {
  try {
    return tryReadText(path) ?? '';
  } catch {
    return '';
  }
}

/** Opens a file of /proc for its identity only. */
export const openPath = (path: string): number => native.openAt(AT_FDCWD, path, O_PATH, 0);
