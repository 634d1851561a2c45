/** The supervisor of a container: its start, and the requests to it. */

import { freezerOf } from '../../cgroup/freezer.js';
import { E } from '../../sys/errno.js';
import { openFilesHint, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_RDONLY, O_WRONLY } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { type AnswerKind, type ChildKind, Protocol, type RequestFdName } from '../../sys/protocol.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { readable, sleep } from '../../sys/waiting/loop.js';
import { stopTime, supervisorAnswerTime, supervisorRetryPause } from '../../sys/waiting/time-limits.js';
import { type ExecKey, splitStateDir, withStateAt } from '../state/exit-records.js';
import { recordProcess } from '../state/recorded-process.js';
import { openState } from '../state/state-directory.js';
import type { TimeLimit } from '../stdio/end-limit.js';
import type { StartResult } from './start-init.js';
import { endMode, type ModeProcess, startFailure, startMode } from './start-mode.js';

/** Opens a state directory by path. O_RDONLY, because unixListen needs it. */
const openStateAt = (path: string): number => openState(...splitStateDir(path), O_RDONLY);

/** The process that acts as the container's parent. Closing its channel before it started a container ends it. */
export type Supervisor = ModeProcess;

/**
 * Starts a supervisor that listens in the state directory. An heir first takes over its predecessor's processes, and
 * accepts no request before that.
 * @throws RuntError ERR_SUPERVISOR
 */
export async function startSupervisor(stateDir: string, heir = false): Promise<Supervisor> {
  const failure = startFailure('ERR_SUPERVISOR', 'start the supervisor');
  const dir = openStateAt(stateDir);
  if (dir < 0) throw failure('open', -dir);
  const listener = native.unixListen(dir, Protocol.SUPERVISOR_SOCKET, 64);
  if (listener < 0) {
    native.close(dir);
    throw failure('bind', -listener);
  }
  return startMode([Protocol.SUPERVISE_MAGIC, listener, dir, heir ? 1 : 0], [listener, dir], failure);
}

/** Ends the supervisor of a container that is undone. */
export const endSupervisor = (supervisor: Supervisor): Promise<void> => endMode(supervisor);

/** A request to start a process. */
interface SpawnRequest {
  /** CLONE_NEW* flags. */
  readonly flags: number;
  /** `init` once, or `successor`, replaced by a sibling; then `exec`. Of the last two the final process is adopted. */
  readonly kind: ChildKind;
  /** File in which the kernel counts OOM kills (`oomFile` of src/cgroup/cgroup-paths.ts); empty for none. */
  readonly oomFile: string;
  /** Descriptor of the v2 cgroup to clone into; -1 for none. */
  readonly cgroup: number;
  /** Our descriptors, and their numbers in the process. */
  readonly fds: readonly (readonly [ours: number, theirs: number])[];
  /** The sync socket's number in the process. */
  readonly sync: number;
}

/** The result of a request: a pid, or -errno. */
export async function spawnSupervised(stateDir: string, request: SpawnRequest): Promise<StartResult> {
  const image = native.initImage();
  if (image < 0) return { pid: image, pidfd: -1, syscall: 'memfd_create' };
  const { fds, cgroup } = request;
  const sentFds = [image, ...(cgroup >= 0 ? [cgroup] : []), ...fds.map(([ours]) => ours)];
  const fdTargets: (RequestFdName | number)[] = [
    'image',
    ...(cgroup >= 0 ? (['cgroup'] as const) : []),
    ...fds.map(([, theirs]) => theirs),
  ];
  const head = [Protocol.SPAWN_REQUEST, request.flags >>> 0, request.sync, request.kind, request.oomFile];
  return sendRequest(stateDir, [...head, ...fdTargets], fdList(sentFds)).finally(() => native.close(image));
}

/** The supervisor has ended: after its last child, or killed. */
const goneErrnos: readonly number[] = [E.EPIPE, E.ECONNRESET, E.ECONNREFUSED, E.ENOENT];

/** Whether a request failed because the supervisor has ended; not if a system call failed to start one. */
const isGone = (error: unknown): boolean =>
  error instanceof RuntError &&
  error.code === 'ERR_SUPERVISOR' &&
  error.syscall === undefined &&
  goneErrnos.includes(error.errno ?? 0);

/** Attempts of one request: a supervisor that is being killed refuses connections shortly before it ends. */
export const maxTries = 20;

/**
 * Sends a request to the supervisor or, if that has ended, to its heir. `request` must be repeatable.
 * @throws what `request` throws, RuntError ERR_SUPERVISOR
 */
export async function withSupervisor<T>(stateDir: string, request: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await request();
    } catch (error) {
      if (!isGone(error) || tries === maxTries) throw error;
      const { ensureSupervisor } = await import('./supervisor-heir.js');
      const hasSupervisor = await ensureSupervisor(stateDir).catch((failure: unknown) => {
        // The heir was killed before it got everything.
        if (isGone(failure)) return true;
        throw failure;
      });
      if (!hasSupervisor) throw error;
      await sleep(Math.min(2 ** tries, supervisorRetryPause));
    }
  }
}

/** A child of the supervisor that it must be notified of. */
export interface Child {
  readonly pid: number;
  readonly pidfd: number;
}

/** Notifies the supervisor that this process, also its child, replaces the one started as `successor`. */
export async function adopt(stateDir: string, child: Child): Promise<void> {
  const { answer } = await adoptAs('init', stateDir, child).catch((error: unknown) => {
    // The supervisor ended with the process, whose exit status it has recorded.
    if (isGone(error)) return { answer: -E.ESRCH };
    throw error;
  });
  if (answer < 0 && answer !== -E.ESRCH) throw adoptError(child, answer);
}

/**
 * Notifies the supervisor, before the execve, that this process is an exec: from now on it has a record, whose key is
 * returned. Undefined if it has ended: its last report has the reason.
 * @throws RuntError ERR_SUPERVISOR
 */
export async function adoptExec(stateDir: string, child: Child): Promise<ExecKey | undefined> {
  const { answer, registeredAt } = await withSupervisor(stateDir, () => adoptAs('exec', stateDir, child));
  if (answer === -E.ESRCH) return undefined;
  if (answer < 0) throw adoptError(child, answer);
  return { pid: child.pid, registeredAt };
}

const adoptError = ({ pid }: Child, errno: number): RuntError =>
  new RuntError({ code: 'ERR_SUPERVISOR', message: `give process ${pid} to the supervisor`, errno: -errno });

async function adoptAs(
  kind: Exclude<ChildKind, 'successor'>,
  stateDir: string,
  { pid, pidfd }: Child,
): Promise<{ answer: number; registeredAt: string }> {
  const { startTime } = recordProcess(pid);
  if (startTime === '') return { answer: -E.ESRCH, registeredAt: '' };
  const { pid: answer, registeredAt } = await sendRequest(
    stateDir,
    [Protocol.ADOPT_REQUEST, kind, pid, startTime],
    fdList([pidfd]),
  );
  return { answer, registeredAt };
}

/**
 * Lets the supervisor end a process that it started: TERM after `timeout` ms, and KILL after the other time.
 * @param cgroups of an init process, which are thawed; none for an exec, which must not resume the container
 */
export async function limitProcess(
  stateDir: string,
  pid: number,
  o: TimeLimit,
  cgroups: readonly string[] = [],
): Promise<void> {
  const times = [Math.ceil(o.timeout ?? 0), Math.ceil(o.stopTimeout ?? stopTime)];
  const file = freezerOf(cgroups)?.file;
  // A caller that may not write it cannot have paused the container.
  const fd = file === undefined ? -1 : native.openAt(AT_FDCWD, file, O_WRONLY, 0);
  let answer: number;
  try {
    const fds = fdList(fd < 0 ? [] : [fd]);
    ({ pid: answer } = await sendRequest(stateDir, [Protocol.LIMIT_REQUEST, pid, ...times], fds));
  } finally {
    if (fd >= 0) native.close(fd);
  }
  if (answer >= 0 || answer === -E.ESRCH) return;
  throw new RuntError({
    code: 'ERR_SUPERVISOR',
    message: `give the supervisor the time limit of process ${pid}`,
    errno: -answer,
  });
}

/** Lets the supervisor drop an exec's record. If it has ended, the record stays until it expires. */
export async function forgetExec(stateDir: string, { pid, registeredAt }: ExecKey): Promise<void> {
  await sendRequest(stateDir, [Protocol.FORGET_REQUEST, pid, registeredAt], fdList([])).catch(() => {});
}

/** Sends one request with descriptors and reads the answer. @throws RuntError ERR_SUPERVISOR if none arrives */
export async function sendRequest(
  stateDir: string,
  fields: readonly (string | number)[],
  fds: Uint8Array,
): Promise<StartResult & { readonly registeredAt: string }> {
  // A duplicate: withStateAt closes its descriptor before the connection is accepted.
  const dir = withStateAt(stateDir, (state) => (state < 0 ? state : native.duplicate(state)));
  const connection = dir < 0 ? dir : await connectAt(dir, Protocol.SUPERVISOR_SOCKET, supervisorAnswerTime);
  if (dir >= 0) native.close(dir);
  if (connection < 0) throw unreachableError(-connection);
  try {
    return await sendRequestOn(connection, fields, fds);
  } finally {
    native.close(connection);
  }
}

/** Same as `sendRequest`, on a connection that stays open. */
export async function sendRequestOn(
  connection: number,
  fields: readonly (string | number)[],
  fds: Uint8Array,
): Promise<StartResult & { readonly registeredAt: string }> {
  const sent = native.sendFds(connection, fds, nulList(fields));
  if (sent < 0) throw unreachableError(-sent);
  if (!(await readable(connection, supervisorAnswerTime))) throw unreachableError(E.ETIMEDOUT);
  const data = new Uint8Array(64);
  const receivedFd = new Uint8Array(4);
  const n = native.receiveFds(connection, data, receivedFd);
  // No answer before the end of file: the supervisor has ended.
  if (n <= 0) throw unreachableError(-n || E.EPIPE);
  // "pid N BEGUN", or "error ERRNO CALL".
  const [what, number, more = ''] = host.decode(data, n - 1).split(' ');
  if ((what as AnswerKind) !== 'pid')
    return { pid: -(Number(number) || E.EIO), pidfd: -1, syscall: more, registeredAt: '' };
  return {
    pid: Number(number),
    pidfd: new DataView(receivedFd.buffer).getInt32(0, true),
    syscall: '',
    registeredAt: more,
  };
}

const unreachableError = (errno: number): RuntError =>
  new RuntError({
    code: 'ERR_SUPERVISOR',
    message: 'reach the supervisor of the container',
    errno,
    hint:
      errno === E.EMFILE
        ? openFilesHint
        : 'look at "runt state": the supervisor was killed, or the container has ended',
  });
