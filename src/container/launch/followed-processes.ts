/** The processes that a container of `--die-with-parent` ends with. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { readText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import type { ContainerRecord } from '../state/state-store.js';
import type { RunOptions } from './container-options.js';
import { sendRequest } from './supervisor.js';

/** The parent of this process (proc_pid_stat(5)); 0 if it is in another pid namespace. */
function parentPid(): number {
  const stat = readText('/proc/self/stat');
  // The name may contain any byte: the last parenthesis ends it.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** A pidfd of the parent of this process. @throws RuntError ERR_PARENT if it has ended, or cannot be opened */
function openParent(what: string): number {
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

/** `run --die-with-parent`: the parent, and in the foreground this process, which keeps the pidfds. */
export function withFollowed(o: RunOptions): RunOptions {
  const what = `run ${o.id}`;
  return { ...o, followed: o.detach ? [openParent(what)] : [openParent(what), openSelf(what)] };
}

/**
 * Lets the supervisor end a container with any of these processes, and remove its cgroups when all of them have ended.
 * Before it has cgroups: whatever is killed from now on, nothing is left.
 * @throws RuntError ERR_SUPERVISOR
 */
export async function follow(
  stateDir: string,
  pidfds: readonly number[],
  { cgroups, unit }: Pick<ContainerRecord, 'cgroups' | 'unit'>,
): Promise<void> {
  // systemd removes those of its unit, and would report one that vanishes as failed.
  const removes = unit ? 0 : 1;
  const paths = [...cgroups].sort((a, b) => b.length - a.length);
  const { pid: answer } = await sendRequest(stateDir, [Protocol.FOLLOW_REQUEST, removes, ...paths], fdList(pidfds));
  if (answer >= 0) return;
  throw new RuntError({
    code: 'ERR_SUPERVISOR',
    message: 'let the supervisor end the container with the process that ran runt',
    errno: -answer,
  });
}
