/** Namespaces of the fake kernel: the files of /proc/PID/ns, and the functions that open them. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { namespaceFlags, S_IFREG } from '../../../src/sys/linux.js';
import { putIntegers } from './buffers.js';
import { type Descriptors, OpenInode } from './descriptors.js';
import type { FakeKernel } from './fake-kernel.js';
import { type FileSystem, type FileTree, Inode, S_IFLNK } from './file-tree.js';
import type { FakeProcess } from './processes.js';

const NSFS_MAGIC = 0x6e736673n;
const nsfs: FileSystem = { magic: NSFS_MAGIC, dev: 4 };

/** The types by the names of their files, with the inodes of the host's. */
const hostInodes = {
  cgroup: 4026531835,
  ipc: 4026531839,
  mnt: 4026531841,
  net: 4026531840,
  pid: 4026531836,
  time: 4026531834,
  user: 4026531837,
  uts: 4026531838,
} as const;
type NamespaceFile = keyof typeof hostInodes;

class Namespace extends Inode {
  constructor(
    readonly type: NamespaceFile,
    ino: number,
  ) {
    super(ino, S_IFREG | 0o444, nsfs);
  }

  override get shown(): string {
    return `${this.type}:[${this.ino}]`;
  }

  /** CLONE_NEW* */
  get flag(): number {
    const name = this.type === 'mnt' ? 'mount' : this.type === 'net' ? 'network' : this.type;
    return namespaceFlags[name] as number;
  }
}

export const hostNamespaces = (): Namespace[] =>
  Object.entries(hostInodes).map(([type, ino]) => new Namespace(type as NamespaceFile, ino));

/** Makes the link of /proc/PID/ns, or one at another path, as a bind mount would. */
export function linkNamespace(
  tree: FileTree,
  pid: number,
  namespace: Namespace,
  path = `/proc/${pid}/ns/${namespace.type}`,
): void {
  const link = tree.symlink(path, '');
  link.mode = S_IFLNK | 0o777;
  link.jump = () => namespace;
}

let last = 4026532000;

/** Puts a process into new namespaces of these types. */
export function unshare(kernel: FakeKernel, process: FakeProcess, ...types: NamespaceFile[]): void {
  for (const type of types) linkNamespace(kernel.tree, process.pid, new Namespace(type, ++last));
}

export function namespaceCalls(tree: FileTree, descriptors: Descriptors) {
  return {
    namespaceOpen(path, data) {
      const found = tree.find(tree.cwd, path, true);
      if (typeof found === 'number') return found;
      const { inode } = found;
      if (!inode) return -E.ENOENT;
      if (!(inode instanceof Namespace)) return -E.ENOTTY;
      putIntegers(data, [inode.flag, nsfs.dev, inode.ino]);
      return descriptors.open(new OpenInode(inode, 0));
    },
  } satisfies Partial<Native>;
}
