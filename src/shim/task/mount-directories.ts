/** `mkdir/TYPE`: a mount that needs directories, such as an overlay's upperdir (containerd's transform `mkdir`). */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { stat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT } from '../../sys/linux.js';
import type { types } from '../transport/protos.js';

const prefix = 'X-containerd.mkdir.';
/** PATH[:MODE[:UID:GID]], as containerd's mount manager reads it: a path has no colon. */
const directory = /^path=(?<path>\/[^:]*)(?::(?<mode>[0-7]{1,4})(?::(?<uid>\d{1,10}):(?<gid>\d{1,10}))?)?$/;
const defaultMode = 0o700;

/**
 * Makes the directories of a mount whose type begins with `mkdir/`. One that exists keeps its mode and its owner.
 * @returns the mount without them @throws RuntError ERR_MOUNT, ERR_UNSUPPORTED
 */
export function makeMountDirectories(mount: types.Mount.$Properties): types.Mount.$Properties {
  const options = mount.options ?? [];
  for (const option of options.filter((o) => o.startsWith(prefix))) {
    const groups = directory.exec(option.slice(prefix.length))?.groups;
    if (!groups) {
      throw new RuntError({
        code: 'ERR_UNSUPPORTED',
        message: `mount option ${option} of the root file system`,
        value: mount,
      });
    }
    const { path, mode, uid, gid } = groups as { path: string; mode?: string; uid?: string; gid?: string };
    const facts = { code: 'ERR_MOUNT', message: `make the directory ${path} for a mount`, path, value: mount };
    const made = native.mkdirAt(AT_FDCWD, path, mode === undefined ? defaultMode : Number.parseInt(mode, 8));
    if (made === -E.EEXIST) {
      if ((stat(path, AT_FDCWD, AT_SYMLINK_NOFOLLOW).mode & S_IFMT) !== S_IFDIR) check(-E.ENOTDIR, facts);
      continue;
    }
    check(made, { ...facts, syscall: 'mkdirat' });
    if (uid !== undefined && gid !== undefined)
      check(native.chownAt(AT_FDCWD, path, BigInt(uid), BigInt(gid)), { ...facts, syscall: 'fchownat' });
  }
  return {
    ...mount,
    type: (mount.type ?? '').slice('mkdir/'.length),
    options: options.filter((o) => !o.startsWith(prefix)),
  };
}
