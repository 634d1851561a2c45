/** The end of a foreground `run` or `exec` that has waited as runt-init (stdio/waiter.ts). */
import { errnoName } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { SIGKILL } from '../sys/linux.js';
import { Protocol } from '../sys/protocol.js';
import { endProcess } from './cgroups/end-process.js';
import { endOf } from './launch/child-end.js';
import type { RunOptions } from './launch/container-options.js';
import type { Exit } from './state/exit-records.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import { EndLimit, type TimeLimit, timeoutError } from './stdio/end-limit.js';
import { openSignals, waitForEnd } from './stdio/foreground.js';
import { removeEnded } from './teardown.js';

/**
 * Reaps the child and removes the container.
 * @param program the name of this program, with the child's pid and pidfd, and why it is to end before its own end
 * @returns the exit status of the child, or 128 + the signal that killed it
 */
export async function endRun(o: RunOptions, program: string): Promise<number> {
  const [, pid, pidfd, reason, errno] = program.split(':');
  const child = { pid: Number(pid), pidfd: Number(pidfd) };
  // Before the child is reaped: until then no other container's process has its pid.
  const record = recordOf(o, child.pid);
  const isUnawaited = reason === Protocol.REASON_UNAWAITED;
  if (isUnawaited && record) await endProcess('run', record, 'running');
  const limit = reason && !isUnawaited ? await endChild(`run ${o.id}`, o, child, record?.cgroups) : undefined;
  const { status, signal } = endOf(child.pidfd);
  const code = await finishRun(o, record, {
    pid: child.pid,
    status,
    signal,
    ...(limit?.timedOut && { reason: 'timeout' as const }),
  });
  if (isUnawaited) {
    const message = `run ${o.id}: wait for its process, which runt killed`;
    throw new RuntError({ code: 'ERR_PROCESS', message, errno: Number(errno) });
  }
  return code;
}

/** How the process ended; the members of a supervisor's record may be there. */
export type RunEnd = Pick<Exit, 'pid' | 'status' | 'signal'> & Partial<Exit>;

/**
 * The end of a foreground `run`, after its process was reaped: records it if the container is kept, otherwise removes
 * the container.
 * @param record undefined if the container was deleted
 * @param end undefined if it is not known
 * @returns the exit status of the process
 * @throws RuntError ERR_CANCELLED, ERR_TIMEOUT, ERR_STATUS_LOST
 */
export async function finishRun(
  o: RunOptions,
  record: ContainerRecord | undefined,
  end: RunEnd | undefined,
): Promise<number> {
  const mayBeDeleted = !end || (end.signal === SIGKILL && !end.reason);
  const deleted =
    mayBeDeleted && (!record || (await (await import('./state/cancellation.js')).wasDeleted(o.root, record)));
  let exit: Exit | undefined;
  if (end && (o.keep || o.onEnd)) {
    exit = (await import('./final-exit.js')).finalExit(record, deleted ? { ...end, reason: 'cancelled' } : end);
  }
  if (record && !deleted) {
    if (!o.keep) await removeEnded('run', o, record);
    else if (exit) await keepExit(o, exit);
  }
  if (exit && o.onEnd) o.onEnd((await import('./state/exit-records.js')).exitRecord(exit, record));
  if (deleted) throw (await import('./state/cancellation.js')).cancelledError(`run ${o.id}`);
  if (!end) throw (await import('./state/exit-records.js')).statusLostError(`run ${o.id}`);
  if (end.reason === 'timeout') throw timeoutError(`run ${o.id}`, o);
  return end.status;
}

/** Only warns on failure: the status of the process is that of runt. */
async function keepExit({ root, id, warn }: RunOptions, exit: Exit): Promise<void> {
  const r = (await import('./state/exit-records.js')).storeExit(`${root}/${id}`, exit);
  if (r < 0) warn(`run ${id}: write the exit record: ${errnoName(-r)}`);
}

/** The same of an exec, whose time limit has passed. */
export async function endExec(o: TimeLimit & { readonly id: string }, program: string): Promise<number> {
  const [, pid, pidfd] = program.split(':');
  const child = { pid: Number(pid), pidfd: Number(pidfd) };
  const limit = await endChild(`exec ${o.id}`, o, child);
  const { status } = endOf(child.pidfd);
  limit.check();
  return status;
}

/** Ends a child whose time limit has passed, and waits for that. */
async function endChild(
  what: string,
  o: TimeLimit,
  child: { readonly pid: number; readonly pidfd: number },
  cgroups: readonly string[] = [],
): Promise<EndLimit> {
  const limit = new EndLimit(o, { what, ...child, cgroups });
  limit.pass();
  await waitForEnd(child, openSignals(what), undefined, undefined, limit);
  return limit;
}

/** Undefined if the container was deleted meanwhile, even if another one has its id by now. */
function recordOf({ root, id }: RunOptions, pid: number): ContainerRecord | undefined {
  try {
    const record = loadRecord(root, id);
    return record.pid === pid ? record : undefined;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return undefined;
    throw error;
  }
}
