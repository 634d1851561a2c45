/** `stop`: a container's stop signal and, if that does not end it in time, KILL. Also the waits of kill and delete. */
import { checkMounted } from '../cgroup/cgroup-facts.js';
import { thaw } from '../cgroup/freezer.js';
import { stopSignalAnnotation } from '../spec/annotation-names.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { signalNumber } from '../sys/kernel-names.js';
import { SIGKILL, SIGTERM } from '../sys/linux.js';
import { forget, now, trimWhenIdle } from '../sys/waiting/loop.js';
import { earlyEndInterval, stopTime, timeoutStatus } from '../sys/waiting/time-limits.js';
import { endProcess } from './cgroups/end-process.js';
import { kill } from './kill.js';
import { awaitExit } from './state/exit-records.js';
import { type HeldProcess, holdProcess, statusOf } from './state/recorded-process.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import type { EarlyEnd } from './wait.js';

interface StopOptions {
  readonly root: string;
  readonly id: string;
  /** ms after which KILL follows; 10 s when absent. */
  readonly timeout?: number;
  /** Instead of the stop signal of the config, which is TERM unless an annotation names another. */
  readonly signal?: number;
  /** May end the wait. */
  readonly early?: EarlyEnd;
}

/**
 * Ends a container, and returns when it has ended. A paused container is resumed, so that it gets the signal. Does
 * nothing if the container has stopped, except for processes that outlive it without a pid namespace.
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS while it is created, ERR_SPEC_VALUE for the annotation,
 *   ERR_PROCESS, ERR_CGROUP
 */
export async function stop(o: StopOptions): Promise<void> {
  const record = loadRecord(o.root, o.id);
  if (!record.pidNamespace) checkMounted(record.cgroups);
  const status = statusOf(o.root, record);
  if (status === 'creating') {
    throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `stop ${o.id}: the container is being created` });
  }
  // Of these signals runt-init, which waits for `start`, handles TERM.
  const signal = status === 'created' ? SIGTERM : (o.signal ?? stopSignal(record));
  const end = new AwaitedEnd(o.root, record);
  try {
    const r = end.process?.signal(signal) ?? -E.ESRCH;
    if (r !== -E.ESRCH) {
      check(r, { code: 'ERR_PROCESS', message: `stop ${o.id}: send signal ${signal} to process ${record.pid}` });
      if (status === 'paused') thaw(record.cgroups);
    }
    if (!(await end.wait(o.timeout ?? stopTime, o.early))) {
      if (o.early?.ended) throw notEnded(`stop ${o.id}`);
      await endProcess('stop', record, status);
      await end.wait();
    }
  } finally {
    end.close();
  }
  if (!record.pidNamespace) await endOthers(o);
}

/** Kills the processes that outlive the container's process because it has no pid namespace. */
async function endOthers(o: StopOptions): Promise<void> {
  try {
    await kill({ ...o, signal: SIGKILL, all: false });
  } catch (error) {
    // There is none.
    if (!(error instanceof RuntError) || error.code !== 'ERR_CONTAINER_STATUS') throw error;
  }
}

/** The stop signal of an image, as engines write it into the config. @throws RuntError ERR_SPEC_VALUE */
function stopSignal({ id, annotations = {} }: ContainerRecord): number {
  const value = annotations[stopSignalAnnotation];
  if (!value) return SIGTERM;
  const signal = signalNumber(value);
  if (signal !== undefined) return signal;
  throw new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `stop ${id}: the annotation ${stopSignalAnnotation} is not a signal`,
    pointer: `/annotations/${stopSignalAnnotation}`,
    value,
    hint: 'name a signal with --signal',
  });
}

/** The end of a container. Made before what causes the end, because the id may be used again after it. */
export class AwaitedEnd {
  /** Undefined if it has ended. */
  readonly process: HeldProcess | undefined;

  /** @throws RuntError ERR_PROCESS */
  constructor(
    private readonly root: string,
    private readonly record: ContainerRecord,
  ) {
    this.process = holdProcess(record);
  }

  /**
   * Waits until the container has stopped and its exit is recorded; false after `timeout` ms (-1 for none), and when
   * the caller ends the wait.
   */
  async wait(timeout = -1, early?: EarlyEnd): Promise<boolean> {
    trimWhenIdle();
    const { process } = this;
    if (process && !early && !(await process.waitForEnd(timeout))) return false;
    if (process && early && !(await waitUntil(process, timeout, early))) return false;
    if (this.record.supervisor) await awaitExit(`${this.root}/${this.record.id}`);
    return true;
  }

  /** As `wait`. @throws RuntError ERR_TIMEOUT after the time, and when the caller ends the wait */
  async inTime(what: string, { timeout, early }: WaitLimit): Promise<void> {
    if (!(await this.wait(timeout, early))) throw notEnded(what, timeout);
  }

  close(): void {
    this.process?.close();
  }
}

/** Limits of a wait. */
interface WaitLimit {
  /** ms; no limit when absent. */
  readonly timeout?: number;
  readonly early?: EarlyEnd;
}

/** Waits for an end, or until the caller ends the wait. A wait that polls cannot be woken: it looks again and again. */
async function waitUntil(process: HeldProcess, timeout: number, early: EarlyEnd): Promise<boolean> {
  const deadline = timeout < 0 ? Number.POSITIVE_INFINITY : now() + timeout;
  early.wake = () => forget(process.fd);
  try {
    for (;;) {
      const rest = Math.max(0, deadline - now());
      if (await process.waitForEnd(early.ended ? 0 : Math.min(rest, earlyEndInterval))) return true;
      if (early.ended || rest === 0) return false;
    }
  } finally {
    // The caller closes the descriptor.
    delete early.wake;
  }
}

const notEnded = (what: string, timeout = 0): RuntError =>
  new RuntError({
    code: 'ERR_TIMEOUT',
    message: `${what}: the container has not ended within ${timeout / 1000} s`,
    exit: timeoutStatus,
  });

/**
 * For `delete`: waits while the container runs or is paused. Returns at once if there is none.
 * @throws RuntError ERR_TIMEOUT
 */
export async function awaitStop(root: string, id: string, limit: WaitLimit = {}): Promise<void> {
  let end: AwaitedEnd | undefined;
  try {
    const record = loadRecord(root, id);
    if (!['running', 'paused'].includes(statusOf(root, record))) return;
    end = new AwaitedEnd(root, record);
    await end.inTime(`delete ${id}`, limit);
  } catch (error) {
    if (!(error instanceof RuntError) || error.code !== 'ERR_NO_CONTAINER') throw error;
  } finally {
    end?.close();
  }
}
