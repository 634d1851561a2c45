/** The files of a host: those of this machine, or of a tree below a directory, as a pod with a hostPath has them. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { readBytes, readLink, type Stat, tryListDir, tryStat } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFLNK, S_IFMT, S_IFREG, X_OK } from '../sys/linux.js';

const MAX_LINKS = 40;

export class HostTree {
  /** @param root absolute path of the tree; `/` for this machine */
  constructor(readonly root: string) {}

  get isThisMachine(): boolean {
    return this.root === '/';
  }

  /** The path for a system call, of a path as the host has it. Symbolic links stay. */
  outer(path: string): string {
    return this.isThisMachine ? path : `${this.root}${path}`;
  }

  /**
   * A path as the host has it, without symbolic links, which are resolved in the tree: an absolute one in a tree does
   * not lead out of it. Parts that do not exist stay as they are.
   * @throws RuntError ERR_INSTALL for a circle of links; ERR_IO
   */
  resolve(path: string): string {
    let rest = path.split('/').filter((part) => part !== '');
    let done: string[] = [];
    for (let links = 0; rest.length > 0; ) {
      const [part, ...after] = rest as [string, ...string[]];
      rest = after;
      if (part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const here = this.outer(`/${[...done, part].join('/')}`);
      const stat = tryStat(here, AT_FDCWD, AT_SYMLINK_NOFOLLOW);
      if (!stat || (stat.mode & S_IFMT) !== S_IFLNK) {
        done.push(part);
        continue;
      }
      if (++links > MAX_LINKS)
        throw new RuntError({ code: 'ERR_INSTALL', message: `resolve ${path}`, path, errno: E.ELOOP });
      const target = readLink(here);
      if (target.startsWith('/')) done = [];
      rest = [...target.split('/').filter((p) => p !== ''), ...rest];
    }
    return `/${done.join('/')}`;
  }

  /** stat(2) of what is at a path, behind links; undefined if nothing is. */
  stat(path: string): Stat | undefined {
    return tryStat(this.outer(this.resolve(path)), AT_FDCWD, AT_SYMLINK_NOFOLLOW);
  }

  exists(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  /** The bytes of a regular file; undefined if nothing is there. @throws RuntError ERR_IO, ERR_INSTALL */
  bytes(path: string): Uint8Array | undefined {
    const found = this.stat(path);
    if (!found) return undefined;
    if ((found.mode & S_IFMT) !== S_IFREG)
      throw new RuntError({ code: 'ERR_INSTALL', message: `read ${path}: it is not a regular file`, path });
    return readBytes(this.outer(this.resolve(path)));
  }

  text(path: string): string | undefined {
    const bytes = this.bytes(path);
    return bytes && host.decodeRaw(bytes, bytes.length);
  }

  /** Names in a directory, sorted; none if it does not exist. */
  list(path: string): string[] {
    return (tryListDir(this.outer(this.resolve(path))) ?? []).sort();
  }

  /** The first of some directories that has a program, as a path; undefined if none has it. */
  program(name: string, directories: readonly string[] = programDirectories): string | undefined {
    return directories
      .map((d) => `${d}/${name}`)
      .find((p) => this.exists(p) && native.access(this.outer(this.resolve(p)), X_OK) === 0);
  }
}

/** Where engines are, whatever PATH the caller has. */
const programDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/opt/bin'];
