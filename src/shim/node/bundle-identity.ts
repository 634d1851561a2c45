/** Which container a bundle is of: a later one may have its id, and so its path. */
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

/** What containerd writes into the bundle before it connects to the server of a sandbox, and never changes. */
export const bootstrapRecord = 'bootstrap.json';

/** Device, inode and mtime (ns) of that record; undefined if there is none. @throws RuntError ERR_IO */
export function bundleIdentity(bundle: string): string | undefined {
  const path = `${bundle}/${bootstrapRecord}`;
  const out = new BigInt64Array(8);
  const result = native.stat(AT_FDCWD, path, 0, new Uint8Array(out.buffer));
  if (result === -E.ENOENT || result === -E.ENOTDIR) return undefined;
  check(result, { code: 'ERR_IO', message: `stat ${path}`, path, syscall: 'newfstatat' });
  const [, , , , ino, dev, , mtime] = out;
  return `${dev}:${ino}:${mtime}`;
}

/** Milliseconds since the record was written; Infinity for an identity that is none. */
export function bundleAge(identity: string): number {
  const time = /^-?\d+:-?\d+:(\d{1,19})$/.exec(identity)?.[1];
  return time === undefined ? Number.POSITIVE_INFINITY : Number((native.realtime() - BigInt(time)) / 1_000_000n);
}
