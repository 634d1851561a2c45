/** The causes of a failed overlay mount, found in its directories: the kernel mostly returns EINVAL. */

import { isAtOrBelow } from '../../plan/container-path.js';
import { type Hint, hintOf } from '../../plan/failure/known-cause.js';
import { lowerLayers } from '../../plan/mounts/overlay-options.js';
import type { Op } from '../../plan/plan-ops.js';
import { E } from '../../sys/errno.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { OpFailure } from './op-failed.js';

const see = 'kernel documentation, filesystems/overlayfs';
const overlayMagic = 0x794c7630n;

/** The cause shown by the host's directories; undefined if the operation mounts no overlay, or none is found. */
export function overlayHint({ op, errno, syscall, detail }: OpFailure): Hint | undefined {
  if (op.op !== 'mountFs' || op.fstype !== 'overlay' || detail.includes('Unknown parameter')) return undefined;
  // The mount point.
  if (syscall === 'openat2') return undefined;
  const { lower, upper, work } = directories(op);
  if (upper !== undefined && work === undefined)
    return hintOf(
      'add a workdir beside the upperdir, on the same file system: an overlay with an upperdir needs one',
      see,
    );
  if (lower.length === 0) return hintOf('add a lowerdir: an overlay needs one', see);
  if (lower.length === 1 && upper === undefined)
    return hintOf(
      'add an upperdir and a workdir, or bind the layer with "ro" instead: an overlay of one layer needs them',
      see,
    );
  if (errno === E.EACCES && /^(lowerdir|datadir|upperdir|workdir)\+?=/.test(detail))
    return hintOf(
      `give root of the container search permission (chmod o+x) on the parents of ${detail}, and make it the owner of the upperdir and workdir: it may not search one of them, or not write to it`,
      see,
    );
  for (const [what, path] of [...lower.map((l) => ['lowerdir', l] as const), ['upperdir', upper], ['workdir', work]]) {
    const found = path === undefined ? undefined : directoryHint(what as string, path);
    if (found) return found;
  }
  if (upper === undefined || work === undefined) return undefined;
  if (errno === E.EROFS && detail === 'workdir')
    return hintOf(
      `empty the workdir: the kernel cannot empty ${work}/work, and so would mount the overlay read-only`,
      see,
    );
  if (device(upper) !== device(work))
    return hintOf(
      `put the upperdir and the workdir on one mount: ${upper} and ${work} are on different file systems`,
      see,
    );
  if (isAtOrBelow(work, upper) || isAtOrBelow(upper, work))
    return hintOf(`put the upperdir and the workdir side by side: one of ${upper} and ${work} is in the other`, see);
  if (errno === E.EBUSY)
    return hintOf(`give each overlay its own upperdir and workdir: another one uses ${upper} or ${work}`, see);
  if (errno === E.EINVAL && native.statfsType(upper) === overlayMagic)
    return hintOf(
      `put the upperdir and the workdir on another file system (a volume, or a tmpfs): ${upper} is on an overlay itself, as in most containers, and the kernel takes none there`,
      see,
    );
  return undefined;
}

function directoryHint(what: string, path: string): Hint | undefined {
  const data = new Uint8Array(64);
  const r = native.stat(AT_FDCWD, path, 0, data);
  if (r === -E.ENOENT) return hintOf(`make the ${what} ${path}, or correct the option: it does not exist`, see);
  if (r === -E.ENOTDIR || (r === 0 && (mode(data) & 0o170000) !== 0o040000))
    return hintOf(`name a directory as ${what}: ${path} is not one`, see);
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
