/** The supervisor of a container: how it is started, how it is asked to start processes, and what it recorded. */

import { connectAt } from '../sys/connect.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { fdList, fdPair } from '../sys/fds.js';
import { host, native } from '../sys/host.js';
import { O_RDONLY } from '../sys/linux.js';
import { aside, readable, readableOrPolled, sleep } from '../sys/loop.js';
import { timestamp } from '../sys/time.js';
import { Reports, sendFrame } from './channel.js';
import { endOf } from './child-end.js';
import { isAlive, signalProcess } from './process.js';
import { type Started, startInit } from './start-init.js';
import { entryText, openState, withState } from './state-directory.js';
import type { RecordedProcess } from './store.js';

export const supervisorSocket = 'supervisor.sock';
/** ms; the supervisor answers at once, or is being ended. */
const patience = 10_000;

/** Root and id of a state directory's path. */
function split(path: string): [root: string, id: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash) || '/', path.slice(slash + 1)];
}

/** As openState, by the path of the state directory; for reading, which a listening socket's directory needs. */
const openStateAt = (path: string): number => openState(...split(path), O_RDONLY);

/** As withState, by the path of the state directory. */
const withStateAt = <T>(path: string, f: (dir: number) => T): T => withState(...split(path), f);

/** A process that answers as the container's parent. */
export interface Supervisor {
  readonly pid: number;
  readonly pidfd: number;
  /** Closing it before a container was started ends the supervisor. */
  readonly sync: number;
}

/**
 * Starts a supervisor that listens in the state directory.
 * @throws RuntError ERR_SUPERVISOR
 */
export async function startSupervisor(stateDir: string): Promise<Supervisor> {
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
    const { pid, pidfd, syscall } = startInit(0n, theirs, fdList(listener, dir));
    if (pid < 0) {
      native.close(sync);
      throw failed(syscall, -pid);
    }
    const supervisor = { pid, pidfd, sync };
    // Its own ends: with a copy here the socket would not close when the supervisor ends.
    for (const fd of open.splice(0)) native.close(fd);
    try {
      sendFrame(sync, host.encode(`runt-supervise-1\0${listener}\0${dir}\0`));
      if (!(await readable(sync, patience))) throw failed(`it did not answer within ${patience / 1000} s`);
      const report = await new Reports(sync).next();
      if (report.kind === 'created') return supervisor;
      if (report.kind === 'error')
        throw failed(`${report.syscall} ${report.detail}`.trimEnd(), report.errno, report.syscall);
      await readableOrPolled(supervisor.pidfd, patience);
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
 * (src/shim/orphans.ts).
 */
export function leaveSupervisor({ pidfd, sync }: Supervisor): void {
  native.close(sync);
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
  await readableOrPolled(supervisor.pidfd, patience);
  endOf(supervisor.pidfd);
  native.close(supervisor.pidfd);
  native.close(supervisor.sync);
}

/** What a supervisor is asked to start. */
export interface SpawnRequest {
  /** CLONE_NEW* flags. */
  readonly flags: number;
  /** `init` once, or `successor`, whose sibling is the container's; then `exec`: one that joins and makes its sibling, or `exec-self`, which makes none. */
  readonly kind: 'init' | 'successor' | 'exec' | 'exec-self';
  /** Where the kernel counts what it killed for memory, as `oomFile` of src/cgroup/path.ts says; empty for nowhere. */
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
  const places = ['image', ...(cgroup >= 0 ? ['cgroup'] : []), ...fds.map(([, theirs]) => theirs)];
  const head = ['runt-spawn-1', request.flags >>> 0, request.sync, request.kind, request.oomFile];
  return ask(stateDir, [...head, ...places], fdList(...all)).finally(() => native.close(image));
}

/** The process has ended already, and that is recorded (ESRCH); or the supervisor with it, which is so after its last child. */
const gone: readonly number[] = [E.ESRCH, E.EPIPE, E.ECONNRESET, E.ECONNREFUSED];

/** Tells the supervisor that the process which it started as `successor` goes on as this one, its child too. */
export async function adopt(stateDir: string, pid: number): Promise<void> {
  const { pid: answer } = await ask(stateDir, ['runt-adopt-1', pid], fdList()).catch((error: RuntError) => {
    if (gone.includes(error.errno ?? 0)) return { pid: -(error.errno ?? 0) };
    throw error;
  });
  if (answer < 0 && !gone.includes(-answer)) {
    throw new RuntError({ code: 'ERR_SUPERVISOR', message: `give process ${pid} to the supervisor`, errno: -answer });
  }
}

/** Sends one request with descriptors and reads the answer. */
async function ask(stateDir: string, fields: readonly (string | number)[], fds: Uint8Array): Promise<Started> {
  // Its own descriptor: that of withStateAt is closed before the connection is there.
  const dir = withStateAt(stateDir, (state) => (state < 0 ? state : native.duplicate(state)));
  const connection = dir < 0 ? dir : await connectAt(dir, supervisorSocket, patience);
  if (dir >= 0) native.close(dir);
  if (connection < 0) {
    throw new RuntError({
      code: 'ERR_SUPERVISOR',
      message: 'reach the supervisor of the container',
      errno: -connection,
      hint: 'it was killed, or the container has ended',
    });
  }
  try {
    const sent = native.sendFds(connection, fds, host.encode(`${fields.join('\0')}\0`));
    const none = (errno: number, syscall: string) => ({ pid: -errno, pidfd: -1, syscall });
    if (sent < 0) return none(-sent, 'sendmsg');
    if (!(await readable(connection, patience))) return none(E.ETIMEDOUT, 'poll');
    const data = new Uint8Array(64);
    const got = new Uint8Array(4);
    const n = native.receiveFds(connection, data, got);
    const [what, number, syscall] = n > 0 ? host.decode(data, n - 1).split(' ') : [];
    // A connection that ends without an answer: the supervisor has ended.
    if (n === 0) return none(E.EPIPE, 'recvmsg');
    if (what !== 'pid') return none(n < 0 ? -n : Number(number) || E.EIO, syscall ?? 'recvmsg');
    return { pid: Number(number), pidfd: new DataView(got.buffer).getInt32(0, true), syscall: '' };
  } finally {
    native.close(connection);
  }
}

/** How a process ended, as its parent saw it. */
export interface ExitRecord {
  readonly pid: number;
  /** Exit status as a shell gives it: the code, or 128 + signal. */
  readonly status: number;
  /** The signal that ended it; 0 when it exited by itself. */
  readonly signal: number;
  /** RFC 3339, UTC. */
  readonly exitedAt: string;
  /** The kernel had killed in the container's cgroup because its memory was used up. */
  readonly oom: boolean;
}

/** The same with its time as a number: nanoseconds since 1970. */
export type Exit = Omit<ExitRecord, 'exitedAt'> & { readonly exitedAtNs: bigint };

/**
 * The record of the init process, or of an exec by its pid; undefined while there is none. @throws RuntError
 * ERR_STATE_CORRUPT
 */
export function readExit(stateDir: string, pid?: number): Exit | undefined {
  const name = `${pid === undefined ? 'exit' : `exec-${pid}`}.json`;
  const text = withStateAt(stateDir, (dir) => entryText(dir, name));
  if (!text) return undefined;
  try {
    const record = JSON.parse(text) as Exit & { exitedAtNs: string };
    return { ...record, exitedAtNs: BigInt(record.exitedAtNs) };
  } catch {
    const path = `${stateDir}/${name}`;
    throw new RuntError({ code: 'ERR_STATE_CORRUPT', message: `read how a process ended: ${path} is damaged`, path });
  }
}

/**
 * Removes the records of an exec, for whoever began it and has read how it ended: they would be as many as the
 * container has had execs, and be taken for those of a later process with the same pid.
 */
export function dropExits(stateDir: string, pids: readonly number[]): void {
  withStateAt(stateDir, (dir) => {
    if (dir >= 0) for (const pid of pids) native.unlinkAt(dir, `exec-${pid}.json`, 0);
  });
}

/** As readExit, for people. */
export function readExitRecord(stateDir: string, pid?: number): ExitRecord | undefined {
  const exit = readExit(stateDir, pid);
  return exit && recordOf(exit);
}

export function recordOf({ pid, status, signal, exitedAtNs, oom }: Exit): ExitRecord {
  return { pid, status, signal, exitedAt: timestamp(exitedAtNs), oom };
}

/** How a child of this program ends, of which no supervisor keeps it. Closes the pidfd. */
export async function awaitChild(pidfd: number, pid: number): Promise<Exit> {
  await readableOrPolled(pidfd);
  const { status, signal } = endOf(pidfd);
  native.close(pidfd);
  return { pid, status, signal, exitedAtNs: native.realtime(), oom: false };
}

/** For a process whose end no record tells. */
export function statusLost(what: string, pid?: number): RuntError {
  const ended = pid === undefined ? 'the container has ended' : `process ${pid} is not known to have ended`;
  return new RuntError({ code: 'ERR_STATUS_LOST', message: `${what}: ${ended}, and its supervisor was gone before` });
}

/** Waits for a record that the supervisor is about to write. Undefined when the supervisor is gone and wrote none. */
export async function awaitExitRecord(
  stateDir: string,
  supervisor: RecordedProcess,
  pid?: number,
): Promise<ExitRecord | undefined> {
  return (await awaitExit(stateDir, supervisor, pid)) && readExitRecord(stateDir, pid);
}

/** As awaitExitRecord. */
export async function awaitExit(
  stateDir: string,
  supervisor: RecordedProcess,
  pid?: number,
): Promise<Exit | undefined> {
  for (let pause = 1; ; pause = Math.min(2 * pause, 100)) {
    // In this order: what it wrote before it ended is found. A record needs no look at /proc.
    const before = readExit(stateDir, pid);
    if (before) return before;
    if (!isAlive(supervisor)) return readExit(stateDir, pid);
    await sleep(pause);
  }
}
