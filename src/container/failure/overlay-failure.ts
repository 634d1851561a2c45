/** The causes of a failed overlay mount, found in its directories: the kernel mostly returns EINVAL. */

import { isAtOrBelow } from '../../plan/container-path.js';
import { because, type Hint } from '../../plan/failure/known-cause.js';
import { lowerLayers } from '../../plan/mounts/overlay-options.js';
import type { Op } from '../../plan/plan-ops.js';
import { E } from '../../sys/errno.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { Failed } from './op-failed.js';

const see = 'kernel documentation, filesystems/overlayfs';
const overlayMagic = 0x794c7630n;

/** The cause shown by the host's directories; undefined if the operation mounts no overlay, or none is found. */
export function overlayHint({ op, errno, detail }: Failed): Hint | undefined {
  if (op.op !== 'mountFs' || op.fstype !== 'overlay' || detail.includes('Unknown parameter')) return undefined;
  const { lower, upper, work } = directories(op);
  if (upper !== undefined && work === undefined)
    return because('an overlay with an upperdir needs a workdir: add one on the same file system, beside it', see);
  if (lower.length === 0) return because('an overlay needs a lowerdir: add one', see);
  if (lower.length === 1 && upper === undefined)
    return because(
      'an overlay of one layer needs an upperdir and a workdir: add them, or bind the layer with "ro" instead',
      see,
    );
  if (errno === E.EACCES && /^(lowerdir|datadir|upperdir|workdir)\+?=/.test(detail))
    return because(
      `root of the container may not search a directory on the way to ${detail}, or not write to it: give others search permission (chmod o+x) on its parents, and the upperdir and workdir to root of the container`,
      see,
    );
  for (const [what, path] of [...lower.map((l) => ['lowerdir', l] as const), ['upperdir', upper], ['workdir', work]]) {
    const found = path === undefined ? undefined : lookAt(what as string, path);
    if (found) return found;
  }
  if (upper === undefined || work === undefined) return undefined;
  if (errno === E.EROFS && detail === 'workdir')
    return because(
      `the kernel cannot empty ${work}/work, which something else has filled, and so would mount the overlay read-only: empty the workdir`,
      see,
    );
  if (device(upper) !== device(work))
    return because(
      `the upperdir ${upper} and the workdir ${work} are on different file systems: they must be on the same mount`,
      see,
    );
  if (isAtOrBelow(work, upper) || isAtOrBelow(upper, work))
    return because(`one of the upperdir ${upper} and the workdir ${work} is in the other: put them side by side`, see);
  if (errno === E.EBUSY)
    return because(`another overlay uses the upperdir ${upper} or the workdir ${work}: give each its own`, see);
  if (errno === E.EINVAL && native.statfsType(upper) === overlayMagic)
    return because(
      `the upperdir ${upper} is on an overlay itself, as in most containers, and the kernel takes none there: put upperdir and workdir on another file system (a volume, or a tmpfs)`,
      see,
    );
  return undefined;
}

function lookAt(what: string, path: string): Hint | undefined {
  const data = new Uint8Array(64);
  const r = native.stat(AT_FDCWD, path, 0, data);
  if (r === -E.ENOENT) return because(`the ${what} ${path} does not exist: make it, or correct the option`, see);
  if (r === -E.ENOTDIR || (r === 0 && (mode(data) & 0o170000) !== 0o040000))
    return because(`the ${what} ${path} is not a directory`, see);
  return undefined;
}

function directories(op: Extract<Op, { op: 'mountFs' }>) {
  const value = (key: string) => op.options.find((o) => o.startsWith(`${key}=`))?.slice(key.length + 1);
  const lower = op.options.flatMap((o) => {
    const [, key, path = ''] = /^(lowerdir\+?|datadir\+)=(.*)$/s.exec(o) ?? [];
    if (key === undefined) return [];
    return key === 'lowerdir' ? lowerLayers(path).map((l) => l.path) : [path];
  });
  return { lower, upper: value('upperdir'), work: value('workdir') };
}

const mode = (data: Uint8Array): number => Number(new DataView(data.buffer).getBigInt64(0, true));

function device(path: string): bigint {
  const data = new Uint8Array(64);
  return native.stat(AT_FDCWD, path, 0, data) < 0 ? -1n : new DataView(data.buffer).getBigInt64(40, true);
}
