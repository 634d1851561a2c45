/** Processes of a container without a cgroup (rootless, `--cgroup-manager disabled`), found by its pid namespace. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { listDir } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { isDead, processStat } from '../../sys/procfs.js';
import { isAlive } from '../state/recorded-process.js';
import type { ContainerRecord } from '../state/state-store.js';

/** The pid namespace of a process, `pid:[INODE]`; or -errno. */
function namespaceOf(pid: number): string | number {
  const out = new Uint8Array(64);
  const n = native.readLink(AT_FDCWD, `/proc/${pid}/ns/pid`, out);
  return n > 0 ? host.decode(out, n) : n;
}

/** It has ended; or another user owns it, so that it is not in a container of this user. */
const foreignErrnos: readonly (string | number)[] = [-E.ENOENT, -E.ESRCH, -E.EACCES, -E.EPERM];

/** Pids in the runtime's pid namespace. If the container shares one, only its init process is known. */
export function pidsWithoutCgroup(record: ContainerRecord): number[] {
  if (!isAlive(record)) return [];
  if (!record.pidNamespace) return [record.pid];
  const own = namespaceOf(record.pid);
  if (typeof own === 'number') {
    if (!isAlive(record)) return [];
    throw readError(record.pid, own);
  }
  return listDir('/proc')
    .filter((name) => /^[0-9]{1,10}$/.test(name))
    .map(Number)
    .filter((pid) => {
      if (pid === record.pid) return true;
      const namespace = namespaceOf(pid);
      if (typeof namespace === 'number' && !foreignErrnos.includes(namespace)) throw readError(pid, namespace);
      if (namespace !== own) return false;
      const stat = processStat(pid);
      return stat === undefined || !isDead(stat);
    });
}

const readError = (pid: number, result: number): RuntError =>
  new RuntError({
    code: 'ERR_PROCESS',
    message: `read the pid namespace of process ${pid}, /proc/${pid}/ns/pid`,
    path: `/proc/${pid}/ns/pid`,
    errno: -result,
    syscall: 'readlink',
  });
