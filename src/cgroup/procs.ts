/** The processes of a cgroup: whom `kill --all` and `delete --force` reach. */
import { tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { isCgroup } from './facts.js';

/**
 * The pids in cgroup `path`, and with `recursive` in those below it, each once. Empty for a path that is not on a cgroup
 * file system: a plain file called cgroup.procs could name any process of the host. Processes that the own pid
 * namespace cannot see (0 in the file) are left out. The list is a snapshot: repeat until it stays empty.
 */
export function pidsIn(path: string, recursive: boolean): number[] {
  if (!isCgroup(path)) return [];
  const pids = new Set<number>();
  collect(path, recursive, pids);
  pids.delete(0);
  return [...pids];
}

function collect(path: string, recursive: boolean, pids: Set<number>): void {
  // Unreadable in a threaded cgroup (EOPNOTSUPP, cgroups(7)): its processes are in the file of the domain above.
  for (const line of (tryReadText(`${path}/cgroup.procs`) ?? '').split('\n')) if (line !== '') pids.add(Number(line));
  if (!recursive) return;
  for (const child of children(path)) collect(`${path}/${child}`, true, pids);
}

/** The cgroups below a cgroup: its directories. */
function children(path: string): string[] {
  let buffer = new Uint8Array(8192);
  for (;;) {
    const length = native.readDir(AT_FDCWD, path, buffer);
    if (length >= 0) {
      return host
        .decode(buffer, length)
        .split('\0')
        .filter((name) => name !== '' && isDirectory(`${path}/${name}`));
    }
    if (buffer.length >= 1 << 22) return [];
    buffer = new Uint8Array(buffer.length * 4);
  }
}

function isDirectory(path: string): boolean {
  const data = new Uint8Array(64);
  if (native.stat(AT_FDCWD, path, 0, data) < 0) return false;
  return (Number(new DataView(data.buffer).getBigInt64(0, true)) & 0o170000) === 0o040000;
}
