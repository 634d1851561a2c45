/** What recursive bind mounts bring along of the mounts that this process sees. */
import { readLink, readText } from '../sys/fs.js';
import { native } from '../sys/host.js';
import { openPath } from './criu-directory.js';
import { type Bind, mountLines, type Submount, submounts } from './external.js';

/** Binds and what they bring along of the mounts that this process sees. */
export function withSubmounts(binds: readonly Bind[]): (Bind | Submount)[] {
  if (!binds.some((b) => b.recursive)) return [...binds];
  return [...binds, ...submounts(binds, mountLines(readText('/proc/self/mountinfo')), realPath)];
}

/** Without symbolic links; '' when it is not there. */
function realPath(path: string): string {
  const fd = openPath(path);
  if (fd < 0) return '';
  const real = readLink(`/proc/self/fd/${fd}`);
  native.close(fd);
  return real;
}
