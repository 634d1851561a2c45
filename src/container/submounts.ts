/** What recursive bind mounts bring along of the mounts that this process sees. */
import { readText, realPath } from '../sys/fs.js';
import { type Bind, mountLines, type Submount, submounts } from './external.js';

/** Binds and what they bring along of the mounts that this process sees. */
export function withSubmounts(binds: readonly Bind[]): (Bind | Submount)[] {
  if (!binds.some((b) => b.recursive)) return [...binds];
  return [...binds, ...submounts(binds, mountLines(readText('/proc/self/mountinfo')), realPath)];
}
