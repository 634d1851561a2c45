/** The processes of a cgroup: whom `kill --all` and `delete --force` reach. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { tryListDir, tryReadText, tryStat } from '../sys/fs.js';
import { S_IFDIR, S_IFMT } from '../sys/linux.js';
import { isCgroup } from './cgroup-facts.js';

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
  for (const pid of processes(path)) pids.add(pid);
  if (!recursive) return;
  for (const name of tryListDir(path) ?? []) {
    const child = `${path}/${name}`;
    if (((tryStat(child)?.mode ?? 0) & S_IFMT) === S_IFDIR) collect(child, true, pids);
  }
}

/**
 * None in a cgroup that was removed meanwhile, and in a threaded one, whose processes are in the file of the domain
 * above it.
 */
function processes(path: string): number[] {
  try {
    const lines = (tryReadText(`${path}/cgroup.procs`) ?? '').split('\n');
    return lines.filter((line) => line !== '').map(Number);
  } catch (error) {
    const errno = error instanceof RuntError ? error.errno : undefined;
    if (errno === E.ENODEV || errno === E.EOPNOTSUPP) return [];
    throw error;
  }
}
