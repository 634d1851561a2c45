/** Native functions of files, as native/core performs them. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  CGROUP_SUPER_MAGIC,
  CGROUP2_SUPER_MAGIC,
  LOCK_EX,
  LOCK_NB,
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
  RESOLVE_IN_ROOT,
  S_IFDIR,
  S_IFREG,
  S_IFSOCK,
} from '../../../src/sys/linux.js';
import { fillBytes, putIntegers } from './buffers.js';
import { type Descriptors, type OpenFile, OpenInode } from './descriptors.js';
import { type FileTree, type Inode, S_IFLNK } from './file-tree.js';

const LOCK_UN = 8;

interface OpenOptions {
  readonly follow?: boolean;
  readonly directory?: boolean;
  readonly top?: Inode;
}

export function fileCalls(tree: FileTree, descriptors: Descriptors) {
  /** The directory in which a path begins. */
  const start = (dirfd: number, path: string): Inode | number => {
    if (dirfd === AT_FDCWD || path[0] === '/') return tree.cwd;
    return descriptors.get(dirfd)?.inode ?? -E.EBADF;
  };
  const find = (dirfd: number, path: string, follow: boolean, top?: Inode) => {
    const from = start(dirfd, path);
    return typeof from === 'number' ? from : tree.find(from, path, follow, top);
  };
  /** The inode at a path, or of the descriptor itself. */
  const inodeAt = (dirfd: number, path: string, flags: number): Inode | number => {
    if (path === '' && (flags & AT_EMPTY_PATH) !== 0) return descriptors.get(dirfd)?.inode ?? -E.EBADF;
    const found = find(dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0);
    return typeof found === 'number' ? found : (found.inode ?? -E.ENOENT);
  };

  function openInode(dirfd: number, path: string, flags: number, mode: number, o: OpenOptions): OpenFile | number {
    const from = start(dirfd, path);
    if (typeof from === 'number') return from;
    const exclusive = (flags & O_CREAT) !== 0 && (flags & O_EXCL) !== 0;
    const found = tree.find(from, path, (o.follow ?? true) && !exclusive, o.top);
    if (typeof found === 'number') return found;
    let { inode } = found;
    if (!inode) {
      if ((flags & O_CREAT) === 0) return -E.ENOENT;
      const made = tree.add(found, S_IFREG | mode);
      if (typeof made === 'number') return made;
      return new OpenInode(made, flags);
    }
    if (exclusive) return -E.EEXIST;
    if (inode.jump && o.follow !== false) inode = inode.jump();
    const pathOnly = (flags & O_PATH) !== 0;
    if (o.directory && !inode.entries) return -E.ENOTDIR;
    if (!pathOnly) {
      if (inode.is(S_IFLNK)) return -E.ELOOP;
      if (inode.is(S_IFSOCK)) return -E.ENXIO;
      if (inode.opens) return inode.opens(flags);
      if (inode.entries && (flags & O_ACCMODE) !== O_RDONLY) return -E.EISDIR;
      if ((flags & O_TRUNC) !== 0 && !inode.hooks.write) inode.data = new Uint8Array(0);
    }
    return new OpenInode(inode, flags);
  }
  const open = (...args: Parameters<typeof openInode>): number => {
    const file = openInode(...args);
    return typeof file === 'number' ? file : descriptors.open(file);
  };
  function writeFile(dirfd: number, path: string, flags: number, mode: number, data: Uint8Array): number {
    const file = openInode(dirfd, path, flags | 1, mode, {});
    return typeof file === 'number' ? file : file.write(data);
  }

  return {
    openAt: (dirfd, path, flags, mode) => open(dirfd, path, flags, mode, {}),
    openAt2(dirfd, path, flags, mode, resolve) {
      const top = start(dirfd, '.');
      const inRoot = (resolve & RESOLVE_IN_ROOT) !== 0 && typeof top !== 'number';
      return open(dirfd, inRoot ? path.replace(/^\/+/, '') || '.' : path, flags, mode, inRoot ? { top } : {});
    },
    openDirectory: (dirfd, name, flags) => open(dirfd, name, flags, 0, { follow: false, directory: true }),
    openEntry: (dirfd, name, flags) => open(dirfd, name, flags, 0, { follow: false }),
    close: (fd) => descriptors.close(fd),
    read: (fd, data) => descriptors.get(fd)?.read(data) ?? -E.EBADF,
    write: (fd, data) => descriptors.get(fd)?.write(data) ?? -E.EBADF,
    writeOnce: (fd, data) => descriptors.get(fd)?.write(data) ?? -E.EBADF,
    readFile(dirfd, path, data) {
      const file = openInode(dirfd, path, O_RDONLY, 0, {});
      if (typeof file === 'number') return file;
      const { inode } = file;
      if (!(file instanceof OpenInode) || !inode) return -E.EINVAL;
      if (inode.entries) return -E.EISDIR;
      const { bytes } = inode;
      return typeof bytes === 'number' ? bytes : fillBytes(data, bytes);
    },
    writeFile,
    replaceFile(dirfd, path, mode, data) {
      const found = find(dirfd, path, false);
      if (typeof found === 'number') return found;
      if (found.inode?.entries) return -E.EISDIR;
      const made = tree.add(found, S_IFREG | mode);
      if (typeof made === 'number') return made;
      if (found.inode) found.inode.removed = true;
      made.data = data.slice();
      return 0;
    },
    mkdirAt(dirfd, path, mode) {
      const found = find(dirfd, path, false);
      if (typeof found === 'number') return found;
      if (found.inode) return -E.EEXIST;
      const made = tree.add(found, S_IFDIR | mode);
      return typeof made === 'number' ? made : 0;
    },
    chownAt(dirfd, path, uid, gid) {
      const inode = inodeAt(dirfd, path, AT_SYMLINK_NOFOLLOW | (path === '' ? AT_EMPTY_PATH : 0));
      if (typeof inode === 'number') return inode;
      if (uid >= 0n) inode.uid = Number(uid);
      if (gid >= 0n) inode.gid = Number(gid);
      return 0;
    },
    chmodAt(dirfd, path, mode) {
      const inode = inodeAt(dirfd, path, 0);
      if (typeof inode === 'number') return inode;
      inode.mode = (inode.mode & ~0o7777) | mode;
      return 0;
    },
    unlinkAt(dirfd, path, flags) {
      const found = find(dirfd, path, false);
      return typeof found === 'number' ? found : tree.remove(found, (flags & AT_REMOVEDIR) !== 0);
    },
    stat(dirfd, path, flags, data) {
      const inode = inodeAt(dirfd, path, flags);
      if (typeof inode === 'number') return inode;
      const { mode, uid, gid, ino, fs, rdev, mtime, data: bytes } = inode;
      putIntegers(data, [mode, uid, gid, bytes.length, ino, fs.dev, rdev, mtime]);
      return 0;
    },
    access(path) {
      const inode = inodeAt(AT_FDCWD, path, 0);
      return typeof inode === 'number' ? inode : 0;
    },
    statfsType(path) {
      const inode = inodeAt(AT_FDCWD, path, 0);
      return typeof inode === 'number' ? BigInt(inode) : inode.fs.magic;
    },
    readDir(dirfd, path, data) {
      const inode = inodeAt(dirfd, path, 0);
      if (typeof inode === 'number') return inode;
      if (!inode.entries) return -E.ENOTDIR;
      if (inode.removed) return -E.ENOENT;
      return fillBytes(data, new TextEncoder().encode([...inode.entries.keys()].map((name) => `${name}\0`).join('')));
    },
    readLink(dirfd, path, data) {
      const inode = inodeAt(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
      if (typeof inode === 'number') return inode;
      // readlinkat(2): an empty path gives ENOENT for a file that is not a symbolic link.
      if (!inode.is(S_IFLNK)) return path === '' ? -E.ENOENT : -E.EINVAL;
      const target = new TextEncoder().encode(inode.jump ? inode.jump().shown : inode.target);
      return target.length < data.length ? fillBytes(data, target) : -E.EOVERFLOW;
    },
    removeTree(dirfd, path) {
      const found = find(dirfd, path.replace(/(?<=.)\/+$/, ''), false);
      if (typeof found === 'number') return found === -E.ENOENT ? 0 : found;
      return tree.removeTree(found);
    },
    removeCgroup(path) {
      const found = find(AT_FDCWD, path, false);
      if (typeof found === 'number') return found === -E.ENOENT || found === -E.ENOTDIR ? 0 : found;
      const isCgroup = [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].includes(found.parent.fs.magic);
      return isCgroup ? tree.removeCgroup(found) : 0;
    },
    unmount(path) {
      const inode = inodeAt(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
      return typeof inode === 'number' ? inode : tree.unmount(inode);
    },
    openTree: (dirfd, path, flags) => open(dirfd, path, O_PATH, 0, { follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 }),
    mountBind(source, _recursive, _attrs, target) {
      const from = inodeAt(AT_FDCWD, source, 0);
      if (typeof from === 'number') return from;
      const at = inodeAt(AT_FDCWD, target, 0);
      if (typeof at === 'number') return at;
      tree.mount(target).entries = from.entries;
      return 0;
    },
    flock(fd, operation) {
      const file = descriptors.get(fd);
      if (!file) return -E.EBADF;
      const { inode } = file;
      if (!inode) return -E.EINVAL;
      if (operation === LOCK_UN) {
        if (inode.lock === file) inode.lock = undefined;
        return 0;
      }
      if (inode.lock !== undefined && inode.lock !== file) {
        if ((operation & LOCK_NB) !== 0) return -E.EAGAIN;
        throw new Error(`flock(${inode.shown}, ${operation}) would block for ever: another process holds the lock`);
      }
      if ((operation & LOCK_EX) !== 0) inode.lock = file;
      return 0;
    },
    cwd: (data) => fillBytes(data, new TextEncoder().encode(tree.cwd.path)),
  } satisfies Partial<Native>;
}
