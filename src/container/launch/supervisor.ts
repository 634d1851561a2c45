/** The supervisor of a container: how it is started, and how it is asked to start processes. */

import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { O_RDONLY } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { type AnswerKind, type ChildKind, type PlaceName, Protocol } from '../../sys/protocol.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { aside, readable, readableOrPolled, sleep } from '../../sys/waiting/loop.js';
import { supervisorAnswerTime, supervisorRetryPause } from '../../sys/waiting/time-limits.js';
import { type Executed, split, withStateAt } from '../state/exit-records.js';
import { recorded, signalProcess } from '../state/recorded-process.js';
import { openState } from '../state/state-directory.js';
import { endOf } from './child-end.js';
import { InitChannel } from './init-channel.js';
import { type Started, startInit } from './start-init.js';

export const supervisorSocket = 'supervisor.sock';

/** As openState, by the path of the state directory; for reading, which a listening socket's directory needs. */
const openStateAt = (path: string): number => openState(...split(path), O_RDONLY);

/** A process that answers as the container's parent. */
export interface Supervisor {
  readonly pid: number;
  readonly pidfd: number;
  /** Closing it before a container was started ends the supervisor. */
  readonly channel: InitChannel;
}

/**
 * Starts a supervisor that listens in the state directory; as an heir it takes over what another one had started, and
 * serves nobody before that.
 * @throws RuntError ERR_SUPERVISOR
 */
export async function startSupervisor(stateDir: string, heir = false): Promise<Supervisor> {
  const failed = (step: string, errno?: number, syscall = step): RuntError =>
    new RuntError({
      code: 'ERR_SUPERVISOR',
      message: `start the supervisor: ${step}`,
      ...(errno !== undefined && { errno, syscall }),
    });
  const ok = (r: number, syscall: string): number => {
    if (r < 0) throw failed(syscall, -r);
    return r;
  };
  const open: number[] = [];
  try {
    const dir = ok(openStateAt(stateDir), 'open');
    open.push(dir);
    const listener = ok(native.unixListen(dir, supervisorSocket, 64), 'bind');
    open.push(listener);
    const pair = new Uint8Array(16);
    ok(native.socketPair(pair), 'socketpair');
    const [sync, theirs] = fdPair(pair);
    open.push(theirs);
    const { pid, pidfd, syscall } = startInit(0n, theirs, fdList([listener, dir]));
    if (pid < 0) {
      native.close(sync);
      throw failed(syscall, -pid);
    }
    const supervisor = { pid, pidfd, channel: new InitChannel(sync) };
    // Its own ends: with a copy here the socket would not close when the supervisor ends.
    for (const fd of open.splice(0)) native.close(fd);
    try {
      supervisor.channel.send(nulList([Protocol.SUPERVISE_MAGIC, listener, dir, heir ? 1 : 0]));
      if (!(await readable(sync, supervisorAnswerTime)))
        throw failed(`it did not answer within ${supervisorAnswerTime / 1000} s`);
      const report = await supervisor.channel.next();
      if (report.kind === 'created') return supervisor;
      if (report.kind === 'error')
        throw failed(`${report.syscall} ${report.detail}`.trimEnd(), report.errno, report.syscall);
      await readableOrPolled(supervisor.pidfd, supervisorAnswerTime);
      throw failed(`it ${endOf(supervisor.pidfd).words}`);
    } catch (error) {
      await endSupervisor(supervisor);
      throw error;
    }
  } finally {
    for (const fd of open) native.close(fd);
  }
}

/**
 * Leaves a supervisor alone: once it has started a container it goes on by itself. A script that uses the library
 * outlives it, and reaps it: a pids cgroup counts zombies. A command ends before, and the shim reaps all its children
 * (src/shim/task/orphan-reaper.ts).
 */
export function leaveSupervisor({ pidfd, channel }: Supervisor): void {
  channel.close();
  if (host.name === 'node') {
    // Where it cannot be watched it is not reaped.
    const ended = aside(pidfd).then(
      () => void endOf(pidfd),
      () => {},
    );
    void ended.then(() => native.close(pidfd));
  } else native.close(pidfd);
}

/** Ends a supervisor whose container is taken back. */
export async function endSupervisor(supervisor: Supervisor): Promise<void> {
  signalProcess(supervisor.pidfd, supervisor.pid, 9);
  await readableOrPolled(supervisor.pidfd, supervisorAnswerTime);
  endOf(supervisor.pidfd);
  native.close(supervisor.pidfd);
  supervisor.channel.close();
}

/** What a supervisor is asked to start. */
interface SpawnRequest {
  /** CLONE_NEW* flags. */
  readonly flags: number;
  /** `init` once, or `successor`, whose sibling is the container's; then `exec`. What comes of the last two is adopted. */
  readonly kind: ChildKind;
  /** Where the kernel counts what it killed for memory, as `oomFile` of src/cgroup/cgroup-paths.ts says; empty for nowhere. */
  readonly oomFile: string;
  /** Descriptor of the v2 cgroup to be born in, -1 for none. */
  readonly cgroup: number;
  /** Descriptors of ours, and the number that each gets in the process. */
  readonly fds: readonly (readonly [ours: number, theirs: number])[];
  /** The sync socket's number in the process. */
  readonly sync: number;
}

/** The result of a request: a pid, or -errno. */
export async function spawnSupervised(stateDir: string, request: SpawnRequest): Promise<Started> {
  const image = native.initImage();
  if (image < 0) return { pid: image, pidfd: -1, syscall: 'memfd_create' };
  const { fds, cgroup } = request;
  const all = [image, ...(cgroup >= 0 ? [cgroup] : []), ...fds.map(([ours]) => ours)];
  const places: (PlaceName | number)[] = [
    'image',
    ...(cgroup >= 0 ? (['cgroup'] as const) : []),
    ...fds.map(([, theirs]) => theirs),
  ];
  const head = [Protocol.SPAWN_REQUEST, request.flags >>> 0, request.sync, request.kind, request.oomFile];
  return ask(stateDir, [...head, ...places], fdList(all)).finally(() => native.close(image));
}

/** The supervisor has ended: after its last child, or it was killed. */
const gone: readonly number[] = [E.EPIPE, E.ECONNRESET, E.ECONNREFUSED, E.ENOENT];

/** Whether a request failed because there is no supervisor any more; not whether one could not be started, at a system call. */
const isGone = (error: unknown): boolean =>
  error instanceof RuntError &&
  error.code === 'ERR_SUPERVISOR' &&
  error.syscall === undefined &&
  gone.includes(error.errno ?? 0);

/** Attempts of one request; a supervisor that is being killed refuses connections some moments before it has ended. */
export const mostTries = 20;

/**
 * Makes a request of the supervisor; when that is gone, of the one that takes over. `request` must bear to be repeated.
 * @throws what it throws, RuntError ERR_SUPERVISOR
 */
export async function supervised<T>(stateDir: string, request: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await request();
    } catch (error) {
      if (!isGone(error) || tries === mostTries) throw error;
      const { ensureSupervisor } = await import('./supervisor-heir.js');
      const there = await ensureSupervisor(stateDir).catch((failure: unknown) => {
        // The heir was killed before all was passed on to it.
        if (isGone(failure)) return true;
        throw failure;
      });
      if (!there) throw error;
      await sleep(Math.min(2 ** tries, supervisorRetryPause));
    }
  }
}

/** The process behind a pidfd, a child of the supervisor's of which that has to be told. */
export interface Child {
  readonly pid: number;
  readonly pidfd: number;
}

/** Tells the supervisor that the process which it started as `successor` goes on as this one, its child too. */
export async function adopt(stateDir: string, child: Child): Promise<void> {
  const { answer } = await adoptAs('init', stateDir, child).catch((error: unknown) => {
    // With the process, whose end it has recorded.
    if (isGone(error)) return { answer: -E.ESRCH };
    throw error;
  });
  if (answer < 0 && answer !== -E.ESRCH) throw notAdopted(child, answer);
}

/**
 * Tells the supervisor that this process is an exec, before that executes anything: it has a record from now on, of
 * which the result is the key. Undefined when it has ended: its last report says why. @throws RuntError ERR_SUPERVISOR
 */
export async function adoptExec(stateDir: string, child: Child): Promise<Executed | undefined> {
  const { answer, begun } = await supervised(stateDir, () => adoptAs('exec', stateDir, child));
  if (answer === -E.ESRCH) return undefined;
  if (answer < 0) throw notAdopted(child, answer);
  return { pid: child.pid, begun };
}

const notAdopted = ({ pid }: Child, errno: number): RuntError =>
  new RuntError({ code: 'ERR_SUPERVISOR', message: `give process ${pid} to the supervisor`, errno: -errno });

async function adoptAs(
  kind: Exclude<ChildKind, 'successor'>,
  stateDir: string,
  { pid, pidfd }: Child,
): Promise<{ answer: number; begun: string }> {
  const { startTime } = recorded(pid);
  if (startTime === '') return { answer: -E.ESRCH, begun: '' };
  const { pid: answer, begun } = await ask(stateDir, [Protocol.ADOPT_REQUEST, kind, pid, startTime], fdList([pidfd]));
  return { answer, begun };
}

/** Tells the supervisor that nobody will ask how an exec ended; one that is gone left a record that is too old some day. */
export async function forgetExec(stateDir: string, { pid, begun }: Executed): Promise<void> {
  await ask(stateDir, [Protocol.FORGET_REQUEST, pid, begun], fdList([])).catch(() => {});
}

/** Sends one request with descriptors and reads the answer. @throws RuntError ERR_SUPERVISOR when there is none */
async function ask(
  stateDir: string,
  fields: readonly (string | number)[],
  fds: Uint8Array,
): Promise<Started & { readonly begun: string }> {
  // Its own descriptor: that of withStateAt is closed before the connection is there.
  const dir = withStateAt(stateDir, (state) => (state < 0 ? state : native.duplicate(state)));
  const connection = dir < 0 ? dir : await connectAt(dir, supervisorSocket, supervisorAnswerTime);
  if (dir >= 0) native.close(dir);
  if (connection < 0) throw unreached(-connection);
  try {
    return await askOn(connection, fields, fds);
  } finally {
    native.close(connection);
  }
}

/** The same on a connection, which stays open. */
export async function askOn(
  connection: number,
  fields: readonly (string | number)[],
  fds: Uint8Array,
): Promise<Started & { readonly begun: string }> {
  const sent = native.sendFds(connection, fds, nulList(fields));
  if (sent < 0) throw unreached(-sent);
  if (!(await readable(connection, supervisorAnswerTime))) throw unreached(E.ETIMEDOUT);
  const data = new Uint8Array(64);
  const got = new Uint8Array(4);
  const n = native.receiveFds(connection, data, got);
  // A connection that ends without an answer: the supervisor has ended.
  if (n <= 0) throw unreached(-n || E.EPIPE);
  // "pid N BEGUN", or "error ERRNO CALL".
  const [what, number, more = ''] = host.decode(data, n - 1).split(' ');
  if ((what as AnswerKind) !== 'pid') return { pid: -(Number(number) || E.EIO), pidfd: -1, syscall: more, begun: '' };
  return { pid: Number(number), pidfd: new DataView(got.buffer).getInt32(0, true), syscall: '', begun: more };
}

const unreached = (errno: number): RuntError =>
  new RuntError({
    code: 'ERR_SUPERVISOR',
    message: 'reach the supervisor of the container',
    errno,
    hint: 'it was killed, or the container has ended',
  });
