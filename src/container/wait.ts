/** `wait`: the exit of a supervised container or of an exec in it. */
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { SIGKILL } from '../sys/linux.js';
import { Protocol } from '../sys/protocol.js';
import { forget, readableOrPolled, trimWhenIdle } from '../sys/waiting/loop.js';
import { timeoutStatus } from '../sys/waiting/time-limits.js';
import { finalExit } from './final-exit.js';
import { awaitEnd, openUnreaped } from './launch/supervisor-heir.js';
import { listPids } from './ps.js';
import {
  type ExecKey,
  type ExitRecord,
  exitOfEnded,
  exitRecord,
  readExit,
  readRunning,
  recordedExecs,
  statusLostError,
  withStart,
} from './state/exit-records.js';
import { holdProcess } from './state/recorded-process.js';
import { loadRecord } from './state/state-store.js';

interface WaitOptions {
  readonly root: string;
  readonly id: string;
  /** Pid of a detached exec, the last one with this number; the init process when absent. */
  readonly pid?: number;
  /** ms; no limit when absent. */
  readonly timeout?: number;
  readonly early?: EarlyEnd;
}

/** A wait that its caller may end. */
export interface EarlyEnd {
  /** Whether it was ended. */
  ended: boolean;
  /** Wakes the wait, which then looks at `ended`; absent before it has begun. */
  wake?: () => void;
}

/**
 * Waits until the process has ended. The status is always the one that its parent saw.
 * @throws RuntError ERR_NO_CONTAINER, ERR_NOT_SUPERVISED, ERR_STATUS_LOST if the supervisor was killed first,
 *   ERR_TIMEOUT, also if the caller has ended the wait
 */
export async function wait(o: WaitOptions): Promise<ExitRecord> {
  const record = loadRecord(o.root, o.id);
  const stateDir = `${o.root}/${o.id}`;
  if (!record.supervisor) {
    // Of `run --keep`.
    const kept = o.pid === undefined ? readExit(stateDir) : undefined;
    if (kept) return exitRecord(kept, record);
    throw new RuntError({
      code: 'ERR_NOT_SUPERVISED',
      message: `wait ${o.id}: the container has no supervisor, so its exit status is not recorded`,
      hint: 'create it with --supervise, or ask the program that ran runt: only the parent of a process sees its exit status',
    });
  }
  trimWhenIdle();
  const exec = o.pid === undefined ? undefined : lastExec(stateDir, o.id, o.pid);
  const recorded = exec ? readRunning(stateDir, exec) : record;
  if (exec && !recorded) refuseOther(o, exec);
  const pidfd = recorded ? openUnreaped(recorded) : -1;
  if (o.early && pidfd >= 0) o.early.wake = () => forget(pidfd);
  try {
    const ended =
      pidfd >= 0
        ? awaitEnd(stateDir, pidfd, o.timeout, o.early)
        : recorded && holdProcess(recorded)?.waitForEnd(o.timeout);
    if ((await ended) === false) throw timeoutError(o);
    const exit = await exitOfEnded(stateDir, { pid: o.pid ?? record.pid, pidfd }, exec);
    if (exec) {
      if (exit) return exitRecord(exit);
    } else if (exit?.usage) return exitRecord(exit, withStart(stateDir, record));
    else {
      const mayBeDeleted = !exit || (exit.signal === SIGKILL && !exit.reason);
      const deleted = mayBeDeleted && (await (await import('./state/cancellation.js')).wasDeleted(o.root, record));
      if (exit)
        return exitRecord(
          finalExit(record, deleted ? { ...exit, reason: 'cancelled' } : exit),
          withStart(stateDir, record),
        );
      if (deleted) throw (await import('./state/cancellation.js')).cancelledError(`wait ${o.id}`);
    }
  } finally {
    // Another descriptor may have its number then.
    delete o.early?.wake;
    if (pidfd >= 0) native.close(pidfd);
  }
  throw statusLostError(`wait ${o.id}`, o.pid);
}

/** Waits for an exec of a supervised container. Closes the pidfd. @throws RuntError ERR_STATUS_LOST */
export async function waitForExec(o: WaitOptions, exec: ExecKey, pidfd: number): Promise<ExitRecord> {
  try {
    await readableOrPolled(pidfd);
    const exit = await exitOfEnded(`${o.root}/${o.id}`, { pid: exec.pid, pidfd }, exec);
    if (exit) return exitRecord(exit);
  } finally {
    native.close(pidfd);
  }
  throw statusLostError(`exec ${o.id}`, exec.pid);
}

/** The last exec with that pid. @throws RuntError ERR_STATUS_LOST if none is recorded */
function lastExec(stateDir: string, id: string, pid: number): ExecKey {
  const exec = recordedExecs(stateDir)
    .filter((e) => e.pid === pid)
    .at(-1);
  if (exec) return exec;
  throw new RuntError({
    code: 'ERR_STATUS_LOST',
    message: `wait ${id}: no exec with pid ${pid} is recorded`,
    hint: `wait once for each "exec --detach": runt removes a record when it is read, or when ${Protocol.UNREAD_MAX} newer ones are unread`,
  });
}

/**
 * Refuses an ended exec whose pid another process of the container now has, because the caller may mean that one.
 * @throws RuntError ERR_STATUS_LOST
 */
function refuseOther(o: WaitOptions, { pid }: ExecKey): void {
  if (!listPids(o).includes(pid)) return;
  throw new RuntError({
    code: 'ERR_STATUS_LOST',
    message: `wait ${o.id}: the exec with pid ${pid} has ended, and another process of the container has its pid now`,
    hint: 'wait for each exec as soon as it ends: the kernel uses pids again',
  });
}

const timeoutError = ({ id, pid, timeout = 0 }: WaitOptions): RuntError =>
  new RuntError({
    code: 'ERR_TIMEOUT',
    message: `wait ${id}: ${pid === undefined ? 'the container' : `process ${pid}`} has not ended within ${timeout / 1000} s`,
    exit: timeoutStatus,
  });
