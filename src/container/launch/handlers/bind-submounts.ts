/** What recursive bind mounts bring along of the mounts that this process sees. */
import { LONG, readText, realPath } from '../../../sys/fs.js';
import { AT_FDCWD } from '../../../sys/linux.js';
import { type Bind, mountLines, type Submount, submounts } from '../../criu/criu-external.js';

/** Binds and what they bring along of the mounts that this process sees. */
export function withSubmounts(binds: readonly Bind[]): (Bind | Submount)[] {
  if (!binds.some((b) => b.recursive)) return [...binds];
  return [...binds, ...submounts(binds, mountLines(readText('/proc/self/mountinfo', AT_FDCWD, LONG)), realPath)];
}
