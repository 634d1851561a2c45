/** The processes that a container, or an exec, of `--die-with-parent` ends with. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { O_RDONLY } from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import { type ExecKey, splitStateDir } from '../state/exit-records.js';
import { openState } from '../state/state-directory.js';
import type { ContainerRecord } from '../state/state-store.js';
import { releaseMode, startFailure, startMode } from './start-mode.js';
import { sendRequest } from './supervisor.js';

/** The part of /proc/PID/stat that tells who has made a process (proc_pid_stat(5)). */
interface Origin {
  /** 0 if it is in another pid namespace. */
  readonly parent: number;
  readonly session: number;
}

/** @returns undefined if there is no such process, or if /proc hides it (hidepid) */
function originOf(pid: number | 'self'): Origin | undefined {
  const stat = tryReadText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name may contain any byte: the last parenthesis ends it.
  const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(parent), session: Number(session) };
}

/**
 * Whether the parent is one that has adopted this process, because the process that ran runt has ended. A process has
 * the session of the one that made it, unless it leads one of its own (setsid(2)). In one session it cannot be known.
 */
function isAdopted(own: Origin): boolean {
  const parent = originOf(own.parent);
  return parent !== undefined && own.session !== native.pid() && own.session !== parent.session;
}

/** A pidfd of the parent of this process. @throws RuntError ERR_PARENT if it has ended, or cannot be opened */
function openParent(what: string): number {
  const own = originOf('self');
  const pid = own?.parent ?? 0;
  const fd = pid === 0 ? -E.ESRCH : native.pidfdOpen(pid);
  const adopted = own !== undefined && fd >= 0 && isAdopted(own);
  // Compare after the open: then the pidfd is the parent's.
  if (fd >= 0 && !adopted && originOf('self')?.parent === pid) return fd;
  if (fd >= 0) native.close(fd);
  throw new RuntError({
    code: 'ERR_PARENT',
    message: `${what}: open the process that ran runt, for --die-with-parent`,
    ...(fd < 0 && { errno: -fd, syscall: 'pidfd_open' }),
    ...(pid === 0 && { hint: 'run runt from a process in its own pid namespace' }),
    ...(adopted && { hint: 'run runt from a process that waits for it: its parent has ended' }),
  });
}

/** A pidfd of this process. @throws RuntError ERR_PARENT */
export function openSelf(what: string): number {
  const fd = native.pidfdOpen(native.pid());
  const facts = { code: 'ERR_PARENT', message: `${what}: open runt itself, for --die-with-parent` };
  return check(fd, { ...facts, syscall: 'pidfd_open' });
}

/**
 * `run` and `exec` with `--die-with-parent`: the parent, and in the foreground this process, which keeps the pidfds.
 * @param command of this process, for errors
 */
export function withFollowed<O extends { readonly id: string; readonly detach: boolean }>(
  command: string,
  o: O,
): O & { readonly followed: readonly number[] } {
  const what = `${command} ${o.id}`;
  return { ...o, followed: o.detach ? [openParent(what)] : [openParent(what), openSelf(what)] };
}

/**
 * Starts the guard of an exec: it kills the process when one of the followed ones ends, also if runt or a supervisor
 * was killed before.
 * @param key of the exec's record
 * @throws RuntError ERR_PARENT
 */
export async function guardExec(
  stateDir: string,
  process: { readonly pidfd: number },
  followed: readonly number[],
  key: ExecKey | undefined,
): Promise<void> {
  const failure = startFailure('ERR_PARENT', 'start the guard of the exec, for --die-with-parent');
  const state = key ? openState(...splitStateDir(stateDir), O_RDONLY) : -1;
  if (key && state < 0) throw failure('open', -state);
  const copies = [process.pidfd, ...followed].map((fd) => native.duplicate(fd));
  const fds = state < 0 ? copies : [...copies, state];
  const failed = copies.find((fd) => fd < 0);
  if (failed !== undefined) {
    for (const fd of fds) if (fd >= 0) native.close(fd);
    throw failure('fcntl', -failed);
  }
  const [guarded = -1, first = -1, second = ''] = copies;
  const record = [state < 0 ? '' : state, key?.pid ?? 0, key?.registeredAt ?? 0];
  releaseMode(await startMode([Protocol.GUARD_MAGIC, guarded, ...record, first, second], fds, failure));
}

/** The error of a process that was killed with a followed one before it had started; undefined if none has ended. */
export function parentEndError(what: string, followed: readonly number[], cause: unknown): RuntError | undefined {
  if (!followed.some((fd) => native.isReadable(fd) === 1)) return undefined;
  const message = `${what}: the process that ran runt ended before the start was complete, and --die-with-parent is set`;
  return new RuntError({ code: 'ERR_PARENT', message, cause });
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
