/** The procfs of the fake kernel. */
import type { Descriptors } from './descriptors.js';
import { type FileTree, type Inode, S_IFLNK } from './file-tree.js';
import { hostNamespaces, linkNamespace } from './namespaces.js';
import type { FakeProcess, Processes } from './processes.js';

const PROC_SUPER_MAGIC = 0x9fa0n;
/** Every id is mapped to itself (user_namespaces(7)). */
const HOST_MAP = '         0          0 4294967295\n';

/** Mounts it on /proc, with a directory for each process and for the open files of this one. */
export function mountProcfs(tree: FileTree, processes: Processes, descriptors: Descriptors): void {
  const proc = tree.mount('/proc', { magic: PROC_SUPER_MAGIC });
  const namespaces = hostNamespaces();
  const add = (process: FakeProcess): void => {
    const { pid } = process;
    tree.file(`/proc/${pid}/stat`, { read: () => process.stat }, 0o444);
    tree.file(`/proc/${pid}/comm`, { read: () => `${process.name}\n` }, 0o644);
    tree.file(`/proc/${pid}/cgroup`, { read: () => cgroupsOf(process) }, 0o444);
    for (const kind of ['uid', 'gid']) setting(tree, `/proc/${pid}/${kind}_map`, HOST_MAP);
    setting(tree, `/proc/${pid}/setgroups`, 'allow\n');
    setting(tree, `/proc/${pid}/oom_score_adj`, '0\n');
    tree.symlink(`/proc/${pid}/root`, '/');
    for (const namespace of namespaces) linkNamespace(tree, pid, namespace);
  };
  processes.onChange.push((process, gone) => {
    if (gone) proc.entries?.delete(String(process.pid));
    else add(process);
  });
  add(processes.own);
  const own = `/proc/${processes.own.pid}`;
  tree.symlink('/proc/self', String(processes.own.pid));
  tree.directory(`${own}/fd`).entries = new OpenLinks(tree, descriptors);
}

/** A file whose text is replaced by each write. */
function setting(tree: FileTree, path: string, text: string): void {
  let now = text;
  const write = (next: string): number => {
    now = next;
    return 0;
  };
  tree.file(path, { read: () => now, write }, 0o644);
}

/** proc_pid_cgroup(5); the path begins at the mount. */
function cgroupsOf(process: FakeProcess): string {
  return [...process.cgroups]
    .map(([{ hierarchy }, cgroup], i) => {
      let top = cgroup;
      while (!top.covered && top.parent) top = top.parent;
      const path = cgroup.path.slice(top.path.length) || '/';
      return hierarchy === '' ? `0::${path}\n` : `${i + 1}:${hierarchy}:${path}\n`;
    })
    .join('');
}

/** The entries of /proc/self/fd: a link for each descriptor, made when it is looked up. */
class OpenLinks extends Map<string, Inode> {
  constructor(
    private readonly tree: FileTree,
    private readonly descriptors: Descriptors,
  ) {
    super();
  }

  override get(name: string): Inode | undefined {
    const target = this.descriptors.all.get(Number(name))?.inode;
    if (!target) return undefined;
    const link = this.tree.inode(S_IFLNK | 0o700, this.tree.root.fs);
    link.jump = () => target;
    return link;
  }

  override keys(): MapIterator<string> {
    return new Map([...this.descriptors.all].map(([fd]) => [String(fd), fd])).keys();
  }
}
