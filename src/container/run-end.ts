/** The end of a foreground `run` or `exec` that has waited as runt-init (stdio/waiter.ts). */
import { RuntError } from '../sys/error.js';
import { Protocol } from '../sys/protocol.js';
import { endProcess } from './cgroups/end-process.js';
import { endOf } from './launch/child-end.js';
import type { RunOptions } from './run.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import { EndLimit, type TimeLimit } from './stdio/end-limit.js';
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
  const { status } = endOf(child.pidfd);
  if (record && !o.keep) await removeEnded('run', o, record);
  limit?.check();
  if (isUnawaited) {
    const message = `run ${o.id}: wait for its process, which runt killed`;
    throw new RuntError({ code: 'ERR_PROCESS', message, errno: Number(errno) });
  }
  return status;
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
