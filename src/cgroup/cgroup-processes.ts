/** The processes of a cgroup: `kill --all` and `delete --force` signal them. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { tryListDir, tryReadText, tryStat } from '../sys/fs.js';
import { S_IFDIR, S_IFMT } from '../sys/linux.js';
import { isCgroup } from './cgroup-facts.js';

/**
 * The pids in cgroup `path`, each once; with `recursive`, also those in the cgroups below it. Empty if the path is not
 * on a cgroup file system: a plain file called cgroup.procs could name any process of the host. Processes outside
 * runt's pid namespace (0 in the file) are left out. The list is a snapshot: repeat until it stays empty.
 */
export function pidsIn(path: string, recursive: boolean): number[] {
  if (!isCgroup(path)) return [];
  const pids = new Set<number>();
  collectPids(path, recursive, pids);
  pids.delete(0);
  return [...pids];
}

function collectPids(path: string, recursive: boolean, pids: Set<number>): void {
  for (const pid of readPids(path)) pids.add(pid);
  if (!recursive) return;
  for (const name of tryListDir(path) ?? []) {
    const child = `${path}/${name}`;
    if (((tryStat(child)?.mode ?? 0) & S_IFMT) === S_IFDIR) collectPids(child, true, pids);
  }
}

/**
 * Empty for a cgroup that was removed meanwhile, and for a threaded one: the file of its domain lists its processes.
 */
function readPids(path: string): number[] {
  try {
    const lines = (tryReadText(`${path}/cgroup.procs`) ?? '').split('\n');
    return lines.filter((line) => line !== '').map(Number);
  } catch (error) {
    const errno = error instanceof RuntError ? error.errno : undefined;
    if (errno === E.ENODEV || errno === E.EOPNOTSUPP) return [];
    throw error;
  }
}
