/** The file tree of the fake kernel: inodes and path resolution, with the errnos of Linux. */
import { E } from '../../../src/sys/errno.js';
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../../src/sys/linux.js';
import type { OpenFile } from './descriptors.js';

export const S_IFLNK = 0o120000;

/** What the files of procfs and cgroupfs do instead of storing bytes. */
export interface FileHooks {
  readonly read?: () => string | number;
  /** 0 or -errno. */
  readonly write?: (text: string) => number;
}

export class Inode {
  uid = 0;
  gid = 0;
  rdev = 0;
  mtime = 0n;
  data: Uint8Array = new Uint8Array(0);
  hooks: FileHooks = {};
  /** The result of open(2) for a fifo or a pipe, instead of an OpenInode; -errno. */
  opens: ((flags: number) => OpenFile | number) | undefined;
  /** Of a directory. */
  entries: Map<string, Inode> | undefined;
  /** Of a symbolic link. */
  target = '';
  /** Of a link in /proc/self/fd: leads to an inode, not to a path. */
  jump: (() => Inode) | undefined;
  parent: Inode | undefined;
  name = '';
  removed = false;
  /** The inode that a mount hides. */
  covered: Inode | undefined;
  /** The open file that holds flock(2); `true` for another process. */
  lock: object | true | undefined;

  constructor(
    readonly ino: number,
    public mode: number,
    readonly fs: FileSystem,
  ) {
    if (this.is(S_IFDIR)) this.entries = new Map();
  }

  is(type: number): boolean {
    return (this.mode & S_IFMT) === type;
  }

  get path(): string {
    if (!this.parent) return '/';
    const above = this.parent.path;
    return `${above === '/' ? '' : above}/${this.name}`;
  }

  /** As in /proc/self/fd. */
  get shown(): string {
    return this.removed ? `${this.path} (deleted)` : this.path;
  }

  get bytes(): Uint8Array | number {
    const text = this.hooks.read?.();
    if (text === undefined) return this.data;
    return typeof text === 'number' ? text : new TextEncoder().encode(text);
  }
}

export interface FileSystem {
  /** statfs(2) f_type. */
  readonly magic: bigint;
  readonly dev: number;
  /** Of a cgroup hierarchy: its controllers as in /proc/PID/cgroup, empty for v2. */
  readonly hierarchy?: string;
  /** Called with each new directory, which has its parent and name. */
  readonly made?: (directory: Inode) => void;
  /** Whether a directory can be removed: 0 or -errno. If set, its files are removed with it. */
  readonly removable?: (directory: Inode) => number;
  readonly removed?: (directory: Inode) => void;
}

/** The name that a path leads to; without an inode if there is no entry with that name. */
interface Found {
  readonly parent: Inode;
  readonly name: string;
  readonly inode?: Inode | undefined;
}

/** The most links that the kernel follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;
const TMPFS_MAGIC = 0x01021994n;

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

export class FileTree {
  private inodes = 1;
  private devices = 1;
  readonly root = new Inode(1, S_IFDIR | 0o755, { magic: TMPFS_MAGIC, dev: 1 });
  cwd = this.root;

  inode(mode: number, fs: FileSystem): Inode {
    return new Inode(++this.inodes, mode, fs);
  }

  /** Resolves a path; `top` is where an absolute path begins and `..` ends. -errno if a directory is missing. */
  find(from: Inode, path: string, follow: boolean, top = this.root): Found | number {
    if (path === '') return -E.ENOENT;
    if (path.length > 4095) return -E.ENAMETOOLONG;
    let names = namesOf(path);
    let at = path[0] === '/' ? top : from;
    let links = 0;
    let found: Found = { parent: at.parent ?? at, name: at.name, inode: at };
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (!at.entries) return -E.ENOTDIR;
      if (name.length > 255) return -E.ENAMETOOLONG;
      const last = names.length === 0;
      let inode = name === '..' ? (at === top ? at : (at.parent ?? at)) : at.entries.get(name);
      if (!inode && !last) return -E.ENOENT;
      if (inode?.is(S_IFLNK) && (!last || follow || path.endsWith('/'))) {
        if (++links > MAX_LINKS) return -E.ELOOP;
        if (!inode.jump) {
          names = [...namesOf(inode.target), ...names];
          if (inode.target[0] === '/') at = top;
          found = { parent: at.parent ?? at, name: at.name, inode: at };
          continue;
        }
        inode = inode.jump();
      }
      const named = name !== '..' && inode === at.entries.get(name);
      found =
        named || !inode ? { parent: at, name, inode } : { parent: inode.parent ?? inode, name: inode.name, inode };
      if (inode) at = inode;
    }
    if (path.endsWith('/') && found.inode && !found.inode.entries) return -E.ENOTDIR;
    return found;
  }

  /** Makes a new entry; -errno if that is not possible. */
  add({ parent, name }: Found, mode: number): Inode | number {
    if (parent.removed) return -E.ENOENT;
    const inode = this.inode(mode, parent.fs);
    this.link(parent, name, inode);
    if (inode.entries) parent.fs.made?.(inode);
    return inode;
  }

  link(parent: Inode, name: string, inode: Inode): void {
    inode.parent = parent;
    inode.name = name;
    parent.entries?.set(name, inode);
  }

  /** unlink(2) and rmdir(2). */
  remove({ parent, name, inode }: Found, directory: boolean): number {
    if (!inode) return -E.ENOENT;
    if (!directory) {
      if (inode.entries) return -E.EISDIR;
    } else {
      if (!inode.entries) return -E.ENOTDIR;
      if (inode.covered || !inode.parent) return -E.EBUSY;
      const r = inode.fs.removable?.(inode) ?? (inode.entries.size > 0 ? -E.ENOTEMPTY : 0);
      if (r < 0) return r;
    }
    parent.entries?.delete(name);
    inode.removed = true;
    inode.entries?.clear();
    if (directory) inode.fs.removed?.(inode);
    return 0;
  }

  /** Removes a tree like rm -r; -EXDEV at a mount point. */
  removeTree(found: Found): number {
    const { inode } = found;
    if (!inode) return 0;
    if (!inode.entries) return this.remove(found, false);
    if (inode.covered) return -E.EXDEV;
    for (const [name, below] of [...inode.entries]) {
      const r = this.removeTree({ parent: inode, name, inode: below });
      if (r < 0) return r;
    }
    return this.remove(found, true);
  }

  /** Removes a cgroup and those below it, as native/core does. */
  removeCgroup(found: Found): number {
    const r = this.remove(found, true);
    const { inode } = found;
    if (r === -E.ENOENT) return 0;
    if (r !== -E.EBUSY && r !== -E.ENOTEMPTY) return r;
    const below = [...(inode?.entries ?? [])].filter(([, { entries }]) => entries);
    if (!inode || below.length === 0) return -E.EBUSY;
    for (const [name, cgroup] of below) {
      const removed = this.removeCgroup({ parent: inode, name, inode: cgroup });
      if (removed < 0) return removed;
    }
    return this.remove(found, true);
  }

  // For tests: functions that throw where the kernel would return an errno.

  /** The inode at an absolute path; a link at its end is not followed. */
  at(path: string): Inode | undefined {
    const found = this.find(this.root, path, false);
    return typeof found === 'number' ? undefined : found.inode;
  }

  /** Makes a directory and its parents, which may exist. */
  directory(path: string, mode = 0o755): Inode {
    let at = this.root;
    for (const name of namesOf(path)) {
      let next = at.entries?.get(name);
      if (!next) {
        const made = this.add({ parent: at, name }, S_IFDIR | mode);
        if (typeof made === 'number') throw new Error(`make ${path}: ${E[-made]}`);
        next = made;
      }
      at = next;
    }
    return at;
  }

  /** Makes a file, with its parent directories, or replaces its text. */
  file(path: string, text: string | FileHooks = '', mode = 0o600): Inode {
    const inode = this.make(path, S_IFREG | mode);
    if (typeof text === 'string') inode.data = new TextEncoder().encode(text);
    else inode.hooks = text;
    return inode;
  }

  symlink(path: string, target: string): Inode {
    const inode = this.make(path, S_IFLNK | 0o777);
    inode.target = target;
    return inode;
  }

  fifo(path: string): Inode {
    return this.make(path, S_IFIFO | 0o600);
  }

  socket(path: string): Inode {
    return this.make(path, S_IFSOCK | 0o600);
  }

  private make(path: string, mode: number): Inode {
    const slash = path.lastIndexOf('/');
    const parent = this.directory(path.slice(0, slash));
    const inode = this.inode(mode, parent.fs);
    this.link(parent, path.slice(slash + 1), inode);
    return inode;
  }

  /** Mounts a new file system on a directory, which is made if it is missing. */
  mount(path: string, fs: Omit<FileSystem, 'dev'> = { magic: TMPFS_MAGIC }): Inode {
    const below = this.directory(path);
    const inode = this.inode(S_IFDIR | 0o755, { ...fs, dev: ++this.devices });
    inode.covered = below;
    this.link(below.parent ?? inode, below.name, inode);
    inode.fs.made?.(inode);
    return inode;
  }

  unmount(inode: Inode): number {
    if (!inode.covered || !inode.parent) return -E.EINVAL;
    this.link(inode.parent, inode.name, inode.covered);
    return 0;
  }

  text(path: string): string {
    const bytes = this.at(path)?.bytes;
    if (bytes === undefined || typeof bytes === 'number') throw new Error(`there is no file ${path}`);
    return new TextDecoder().decode(bytes);
  }

  /** The names in a directory, sorted; undefined if it is missing. */
  list(path: string): string[] | undefined {
    const entries = this.at(path)?.entries;
    return entries && [...entries.keys()].sort();
  }
}
