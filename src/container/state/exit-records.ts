/** The supervisor's exit records of the container and of its execs. */

import type { Usage } from '../../cgroup/stats/usage.js';
import { E } from '../../sys/errno.js';
import { isOutOfMemory, RuntError } from '../../sys/error.js';
import { listDir } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { O_RDONLY, SIGKILL } from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import { timestamp } from '../../sys/timestamp.js';
import { pollUntil, readableOrPolled, sleep } from '../../sys/waiting/loop.js';
import { longestRecordPause, reapTime } from '../../sys/waiting/time-limits.js';
import { childEnd, endOf, ProcessEnd } from '../launch/child-end.js';
import { isAlive } from './recorded-process.js';
import { entryText, openState, withState } from './state-directory.js';
import { type ContainerRecord, isPid, loadRecord, type RecordedProcess, startTimeFile } from './state-store.js';

/**
 * Why a process ended. `killed`: by a signal. `oom`: by the kernel, for memory. `timeout`: its time limit had passed.
 * `parent`: the process that ran runt had ended. `cancelled`: the container was deleted while it ran.
 */
export type EndReason = 'exited' | 'killed' | 'oom' | 'timeout' | 'parent' | 'cancelled';

/** How a process ended, as seen by its parent. */
export interface ExitRecord {
  readonly pid: number;
  /** Exit status as in a shell: the code, or 128 + signal. */
  readonly status: number;
  /** The signal that killed it; 0 if it exited. */
  readonly signal: number;
  readonly reason: EndReason;
  /** When the container was created; absent for an exec. RFC 3339, UTC. */
  readonly createdAt?: string;
  /** When `run` or `start` started its process; absent for an exec, and if it was not started. */
  readonly startedAt?: string;
  readonly exitedAt: string;
  /** An OOM kill had happened in the container's cgroup. */
  readonly oom: boolean;
  /** What the container had used; absent for an exec, and if its cgroups were removed before they were read. */
  readonly usage?: Usage;
}

/** How a process ended, as it is recorded: with its time in nanoseconds since 1970. */
export interface Exit extends Pick<ExitRecord, 'pid' | 'status' | 'signal' | 'oom' | 'usage'> {
  readonly exitedAtNs: bigint;
  /** Only what its status does not show. */
  readonly reason?: 'timeout' | 'parent' | 'cancelled';
}

/** Key of an exec. The kernel reuses the pid, but `registeredAt` is unique. */
export interface ExecKey {
  readonly pid: number;
  /** When the supervisor registered it: ns on CLOCK_MONOTONIC, in decimal. */
  readonly registeredAt: string;
}

/** Content of a record file. */
type RecordFile =
  /** An exec that has not ended. */
  | ({ readonly running: true; readonly lost?: undefined } & RecordedProcess)
  /** A process that an heir took over, and whose exit status the kernel no longer had. */
  | { readonly running?: undefined; readonly lost: true; readonly pid: number }
  | ({ readonly running?: undefined; readonly lost?: undefined } & ExitJson);

type ExitJson = Omit<Exit, 'exitedAtNs'> & { readonly exitedAtNs: string };

/** Splits a state directory's path into root and id. */
export function splitStateDir(path: string): [root: string, id: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash) || '/', path.slice(slash + 1)];
}

/** Same as withState, by the state directory's path. */
export const withStateAt = <T>(path: string, f: (dir: number) => T): T => withState(...splitStateDir(path), f);

const recordName = (exec?: ExecKey): string =>
  exec ? `${Protocol.EXEC_RECORD}${exec.pid}-${exec.registeredAt}${Protocol.EXEC_RECORD_END}` : Protocol.EXIT_RECORD;

/** @throws RuntError ERR_STATE_CORRUPT */
function readRecordFile(stateDir: string, exec?: ExecKey): RecordFile | undefined {
  const name = recordName(exec);
  const text = withStateAt(stateDir, (dir) => entryText(dir, name));
  if (!text) return undefined;
  try {
    const written: unknown = JSON.parse(text);
    if (isRecordFile(written)) return written;
  } catch (error) {
    if (isOutOfMemory(error)) throw error;
    // It is not JSON.
  }
  const path = `${stateDir}/${name}`;
  throw new RuntError({
    code: 'ERR_STATE_CORRUPT',
    message: `read the exit status of a process: ${path} is damaged`,
    path,
  });
}

function isRecordFile(value: unknown): value is RecordFile {
  const w = (value ?? {}) as { readonly [key: string]: unknown };
  if (!isPid(w.pid)) return false;
  if (w.running !== undefined) return w.running === true && typeof w.startTime === 'string';
  if (w.lost !== undefined) return w.lost === true;
  const numbers = Number.isInteger(w.status) && Number.isInteger(w.signal) && typeof w.oom === 'boolean';
  if (w.usage !== undefined && !isUsage(w.usage)) return false;
  if (w.reason !== undefined && w.reason !== 'timeout' && w.reason !== 'parent') return false;
  return numbers && typeof w.exitedAtNs === 'string' && /^[0-9]{1,20}$/.test(w.exitedAtNs);
}

const isUsage = (value: unknown): value is Usage =>
  typeof value === 'object' && value !== null && Object.values(value).every((n) => typeof n === 'number');

/** Exit of the init process or an exec; undefined while it is not recorded. @throws RuntError ERR_STATE_CORRUPT */
export function readExit(stateDir: string, exec?: ExecKey): Exit | undefined {
  return exitOf(readRecordFile(stateDir, exec));
}

function exitOf(written: RecordFile | undefined): Exit | undefined {
  if (!written || written.running || written.lost) return undefined;
  const { pid, status, signal, exitedAtNs, oom, reason, usage } = written;
  return {
    pid,
    status,
    signal,
    exitedAtNs: BigInt(exitedAtNs),
    oom,
    ...(reason && { reason }),
    ...(usage && { usage }),
  };
}

/** The process of an exec that has not ended. @throws RuntError ERR_STATE_CORRUPT */
export function readRunning(stateDir: string, exec: ExecKey): RecordedProcess | undefined {
  const written = readRecordFile(stateDir, exec);
  return written?.running ? written : undefined;
}

/** Removes an exec's record after it was read. */
export function removeExit(stateDir: string, exec: ExecKey): void {
  withStateAt(stateDir, (dir) => dir >= 0 && native.unlinkAt(dir, recordName(exec), 0));
}

/** All execs with a record, the oldest first. @throws RuntError ERR_STATE */
export function recordedExecs(stateDir: string): ExecKey[] {
  const record = new RegExp(`^${Protocol.EXEC_RECORD}([0-9]{1,10})-([0-9]{1,20})\\${Protocol.EXEC_RECORD_END}$`);
  return namesIn(stateDir)
    .map((name) => record.exec(name))
    .filter((match) => match !== null)
    .map(([, pid, registeredAt]) => ({ pid: Number(pid), registeredAt: registeredAt! }))
    .sort((a, b) => (BigInt(a.registeredAt) < BigInt(b.registeredAt) ? -1 : 1));
}

function namesIn(stateDir: string): string[] {
  const dir = openState(...splitStateDir(stateDir), O_RDONLY);
  if (dir === -E.ENOENT || dir === -E.ENOTDIR) return [];
  if (dir < 0) throw new RuntError({ code: 'ERR_STATE', message: 'open the state', path: stateDir, errno: -dir });
  try {
    return listDir('.', dir);
  } finally {
    native.close(dir);
  }
}

/** Removes temporary files that a killed supervisor left. */
export function removeUnfinished(stateDir: string): void {
  for (const name of namesIn(stateDir))
    if (/^(exit|exec-[0-9-]+)\.json\.tmp$/.test(name))
      withStateAt(stateDir, (dir) => dir >= 0 && native.unlinkAt(dir, name, 0));
}

/** @param container the record of the container; absent for an exec */
export function exitRecord(exit: Exit, container?: Pick<ContainerRecord, 'created' | 'started'>): ExitRecord {
  const { pid, status, signal, exitedAtNs, oom, usage } = exit;
  return {
    pid,
    status,
    signal,
    reason: reasonOf(exit),
    ...(container && { createdAt: container.created }),
    ...(container?.started !== undefined && { startedAt: container.started }),
    exitedAt: timestamp(exitedAtNs),
    oom,
    ...(usage && { usage }),
  };
}

/** Completes the record of a container with the time that `start` has noted. */
export function withStart(stateDir: string, container: ContainerRecord): ContainerRecord {
  const time = container.started === undefined && withStateAt(stateDir, (dir) => entryText(dir, startTimeFile));
  return time && /^[0-9]{1,20}$/.test(time) ? { ...container, started: timestamp(BigInt(time)) } : container;
}

/** A shell whose command was killed ends with 128 + the signal. */
function reasonOf({ status, signal, oom, reason }: Exit): EndReason {
  if (reason) return reason;
  if (oom && status === 128 + SIGKILL) return 'oom';
  return signal === 0 ? 'exited' : 'killed';
}

/** Waits for a child of this process that no supervisor records. Closes the pidfd. */
export async function awaitChild(pidfd: number, pid: number): Promise<Exit> {
  await readableOrPolled(pidfd);
  const { status, signal } = endOf(pidfd);
  native.close(pidfd);
  return { pid, status, signal, exitedAtNs: native.realtime(), oom: false };
}

/** The error for a process without an exit record. */
export function statusLostError(what: string, pid?: number): RuntError {
  const why =
    pid === undefined
      ? 'the exit status of the container is lost: its supervisor ended first'
      : `the exit status of process ${pid} is lost: its supervisor ended first, or another program has read it`;
  return new RuntError({ code: 'ERR_STATUS_LOST', message: `${what}: ${why}` });
}

/** The supervisor in the state; undefined if it has none or the container was removed. */
export function supervisorOf(stateDir: string): RecordedProcess | undefined {
  try {
    return loadRecord(...splitStateDir(stateDir)).supervisor;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return undefined;
    throw error;
  }
}

/** Whether the container's supervisor is alive and records exits. */
function isSupervised(stateDir: string): boolean {
  const supervisor = supervisorOf(stateDir);
  return supervisor !== undefined && isAlive(supervisor);
}

/**
 * Waits for a record that the supervisor is about to write; removes that of an exec. Undefined if the supervisor ended
 * without writing it, or another process has read the exec's.
 */
export async function awaitExit(stateDir: string, exec?: ExecKey): Promise<Exit | undefined> {
  for (let pause = 1; ; pause = Math.min(2 * pause, longestRecordPause)) {
    // In this order, to find what it wrote just before it ended. An existing record needs no look at /proc.
    let written = readRecordFile(stateDir, exec);
    const pending = exec ? written?.running : !written;
    if (pending && isSupervised(stateDir)) {
      await sleep(pause);
      continue;
    }
    if (pending) written = readRecordFile(stateDir, exec);
    if (exec) removeExit(stateDir, exec);
    return exitOf(written);
  }
}

/** Exit of an ended process, if this process is its parent now or the kernel still has it (Linux 6.15). */
export async function observedEnd(pidfd: number): Promise<ProcessEnd | undefined> {
  let end = childEnd(pidfd);
  let status = -E.EAGAIN;
  await pollUntil(() => {
    // Its parent may have just been killed.
    end ??= childEnd(pidfd);
    if (!end) status = native.exitOfPidfd(pidfd);
    return end !== undefined || status !== -E.EAGAIN;
  }, reapTime);
  if (end || status < 0) return end;
  const signal = status & 0x7f;
  return signal ? new ProcessEnd(128 + signal, signal) : new ProcessEnd((status >> 8) & 0xff, 0);
}

/**
 * Exit of a process of a supervised container: from the record or, if that is lost, from a pidfd opened before the
 * process was reaped. Undefined if neither has it.
 */
export async function exitOfEnded(
  stateDir: string,
  { pid, pidfd }: { readonly pid: number; readonly pidfd: number },
  exec?: ExecKey,
): Promise<Exit | undefined> {
  // When a supervisor ends, a subreaper becomes the parent, and the heir waits until that reaps the process.
  const own = pidfd < 0 ? undefined : childEnd(pidfd);
  const recorded = await awaitExit(stateDir, exec);
  if (recorded || pidfd < 0) return recorded;
  const end = own ?? (await observedEnd(pidfd));
  if (!end) return undefined;
  const exit = { pid, status: end.status, signal: end.signal, exitedAtNs: native.realtime(), oom: false };
  if (!exec) storeExit(stateDir, exit);
  return exit;
}

/**
 * Records the container's exit, which no supervisor will record any more, or completes the record. Best effort: the
 * state may be gone.
 * @returns 0 or -errno
 */
export function storeExit(stateDir: string, exit: Exit): number {
  const text = host.encode(`${JSON.stringify({ ...exit, exitedAtNs: String(exit.exitedAtNs) })}\n`);
  return withStateAt(stateDir, (dir) => (dir < 0 ? dir : native.replaceFile(dir, recordName(), 0o600, text)));
}
