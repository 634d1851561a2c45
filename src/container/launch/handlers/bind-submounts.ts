/** Submounts that recursive bind mounts copy from this process's mount namespace. */
import { LONG_FILE, readText, realPath } from '../../../sys/fs.js';
import { AT_FDCWD } from '../../../sys/linux.js';
import { type Bind, mountLines, type Submount, submounts } from '../../criu/criu-external.js';

/** The bind mounts, and the submounts that the recursive ones copy from this process's mount namespace. */
export function withSubmounts(binds: readonly Bind[]): (Bind | Submount)[] {
  if (!binds.some((b) => b.recursive)) return [...binds];
  return [...binds, ...submounts(binds, mountLines(readText('/proc/self/mountinfo', AT_FDCWD, LONG_FILE)), realPath)];
}
