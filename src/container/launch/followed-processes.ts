/** The processes that a container of `--die-with-parent` ends with. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { readText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_WRONLY } from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import { sendRequest } from './supervisor.js';

/** The parent of this process (proc_pid_stat(5)); 0 if it is in another pid namespace. */
function parentPid(): number {
  const stat = readText('/proc/self/stat');
  // The name may contain any byte: the last parenthesis ends it.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** A pidfd of the parent of this process. @throws RuntError ERR_PARENT if it has ended, or cannot be opened */
export function openParent(what: string): number {
  const pid = parentPid();
  const fd = pid === 0 ? -E.ESRCH : native.pidfdOpen(pid);
  // Compare after the open: then the pidfd is the parent's.
  if (fd >= 0 && parentPid() === pid) return fd;
  if (fd >= 0) native.close(fd);
  throw new RuntError({
    code: 'ERR_PARENT',
    message: `${what}: open the process that ran runt, for --die-with-parent`,
    ...(fd < 0 && { errno: -fd, syscall: 'pidfd_open' }),
    ...(pid === 0 && { hint: 'run runt from a process in its own pid namespace' }),
  });
}

/** A pidfd of this process. @throws RuntError ERR_PARENT */
export function openSelf(what: string): number {
  const fd = native.pidfdOpen(native.pid());
  const facts = { code: 'ERR_PARENT', message: `${what}: open runt itself, for --die-with-parent` };
  return check(fd, { ...facts, syscall: 'pidfd_open' });
}

/**
 * Lets the supervisor kill a container's process, and all in its v2 cgroup, when a process has ended.
 * @param pidfds of the processes
 * @throws RuntError ERR_SUPERVISOR
 */
export async function follow(
  stateDir: string,
  pid: number,
  pidfds: readonly number[],
  cgroups: readonly string[],
): Promise<void> {
  const files = cgroups
    .map((path) => native.openAt(AT_FDCWD, `${path}/cgroup.kill`, O_WRONLY, 0))
    .filter((f) => f >= 0);
  try {
    const kills = files.slice(0, 1);
    const fields = [Protocol.FOLLOW_REQUEST, pid, kills.length];
    const { pid: answer } = await sendRequest(stateDir, fields, fdList([...pidfds, ...kills]));
    if (answer >= 0 || answer === -E.ESRCH) return;
    throw new RuntError({
      code: 'ERR_SUPERVISOR',
      message: `let the supervisor end process ${pid} with the process that ran runt`,
      errno: -answer,
    });
  } finally {
    for (const file of files) native.close(file);
  }
}
