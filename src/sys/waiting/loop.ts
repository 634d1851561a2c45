/** The event loop. */

import { E } from '../errno.js';
import { RuntError } from '../error.js';
import { host, native, type WaitIds } from '../host.js';
import { Deadlines, type TimedWait } from './deadlines.js';
import { idleAfter, longestPollPause } from './time-limits.js';

interface Waiter extends TimedWait {
  readonly id: number;
  /** -1 for a timer. */
  readonly fd: number;
  /** The wait does not keep the program running. */
  readonly background: boolean;
  readonly settle: (ready: boolean | Promise<never>) => void;
}

const waiters = new Map<number, Waiter>();
/** The wait for each descriptor. */
const waiterOfFd = new Map<number, Waiter>();
const deadlines = new Deadlines<Waiter>();
/** The number of background waits. */
let backgroundWaits = 0;

/** Whether a wait goes on. */
export const isWaiting = (id: number): boolean => waiters.has(id);

const ownIds: WaitIds = { last: 0, isUsed: isWaiting };

/** An unused id for a wait. The kernel has room for 32 bits, so a server that copies a stream for weeks reuses ids. */
function newId(): number {
  const all = host.waitIds ?? ownIds;
  do all.last = (all.last + 1) & 0x7fff_ffff;
  while (all.isUsed(all.last));
  return all.last;
}

/** Milliseconds on CLOCK_MONOTONIC. */
export const now = (): number => Number(native.monotonic() / 1_000_000n);

/**
 * Resolves with true when fd is readable or hung up, with false after `timeout` ms (-1 for no limit). fd must stay open
 * meanwhile. A second wait for the same descriptor ends the first one like a timeout.
 */
export function readable(fd: number, timeout = -1): Promise<boolean> {
  return watchFd(fd, timeout, native.watch);
}

/**
 * As readable, but polls if epoll accepts no more descriptors (ENOSPC: fs.epoll.max_user_watches). For pidfds, so that
 * every operation can be undone.
 */
export function readableOrPolled(fd: number, timeout = -1): Promise<boolean> {
  forget(fd);
  const id = newId();
  if (native.watch(fd, id) >= 0) return wait(id, fd, timeout);
  return pollUntil(() => native.isReadable(fd) === 1, timeout);
}

/** Polls with growing pauses until `isDone` returns true; false after `timeout` ms (-1 for no limit). */
export async function pollUntil(isDone: () => boolean, timeout = -1): Promise<boolean> {
  const end = timeout < 0 ? Number.POSITIVE_INFINITY : now() + timeout;
  for (let pause = 1; !isDone(); pause = Math.min(2 * pause, longestPollPause)) {
    if (now() >= end) return false;
    await sleep(pause);
  }
  return true;
}

/** As readable, but the program ends without this wait when all others are over. */
export function readableInBackground(fd: number): Promise<boolean> {
  return watchFd(fd, -1, native.watch, true);
}

/** As readable, but for a writable or broken fd. */
export function writable(fd: number, timeout = -1): Promise<boolean> {
  return watchFd(fd, timeout, native.watchOut);
}

/**
 * The index of the first descriptor that is readable or hung up, -1 after `timeout` ms. Ends the waits for the others,
 * because a promise keeps the memory of each race that it takes part in. Polls if epoll accepts no more descriptors.
 */
export async function firstReadable(fds: readonly number[], timeout = -1): Promise<number> {
  try {
    return await Promise.race(fds.map((fd, i) => readable(fd, timeout).then((ready) => (ready ? i : -1))));
  } catch (error) {
    if (!(error instanceof RuntError) || error.errno !== E.ENOSPC) throw error;
    const first = (): number => fds.findIndex((fd) => native.isReadable(fd) === 1);
    await pollUntil(() => first() >= 0, timeout);
    return first();
  } finally {
    for (const fd of fds) forget(fd);
  }
}

function watchFd(
  fd: number,
  timeout: number,
  watch: (fd: number, id: number) => number,
  background = false,
): Promise<boolean> {
  forget(fd);
  const id = newId();
  const r = watch(fd, id);
  if (r >= 0) return wait(id, fd, timeout, background);
  // epoll refuses a regular file, which is always readable and writable.
  if (r === -E.EPERM && native.isReadable(fd) === 1) return Promise.resolve(true);
  const error = new RuntError({
    code: 'ERR_IO',
    message: `epoll_ctl: watch descriptor ${fd}`,
    errno: -r,
    syscall: 'epoll_ctl',
    ...(r === -E.ENOSPC && { hint: 'raise fs.epoll.max_user_watches, or end processes of this user' }),
  });
  return Promise.reject(error);
}

/** Resolves after `ms` milliseconds. */
export async function sleep(ms: number): Promise<void> {
  await wait(newId(), -1, ms);
}

/** Waits for `work`, or for `ms` milliseconds: undefined then. Removes the timer when the work is done. */
export async function withTimeout<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  const id = newId();
  try {
    return await Promise.race([work, wait(id, -1, ms).then(() => undefined)]);
  } finally {
    endWait(id, false);
  }
}

/** ms; the longest timer of Node.js and of epoll_wait(2). A longer timeout means none. */
const maxTimeout = 2 ** 31 - 1;

function wait(id: number, fd: number, ms: number, background = false): Promise<boolean> {
  // Both take whole milliseconds.
  const timeout = ms > maxTimeout ? -1 : Math.ceil(ms);
  return new Promise((settle) => {
    const waiter = {
      id,
      fd,
      deadline: timeout < 0 ? Number.POSITIVE_INFINITY : now() + timeout,
      settle,
      background,
      at: -1,
    };
    waiters.set(id, waiter);
    if (fd >= 0) waiterOfFd.set(fd, waiter);
    if (timeout >= 0) deadlines.add(waiter);
    if (background) backgroundWaits++;
    host.onWait?.(id, timeout);
  });
}

/** Ends the wait for fd like a timeout. Call it before you close fd, or when the result is no longer needed. */
export function forget(fd: number): void {
  const waiter = waiterOfFd.get(fd);
  if (waiter) endWait(waiter.id, false);
}

/** Ends the wait `id`, which is ready or has timed out. Ignores a wait that has ended already. */
export function endWait(id: number, ready: boolean | Promise<never>): void {
  const waiter = waiters.get(id);
  if (!waiter) return;
  const { fd } = waiter;
  waiters.delete(id);
  if (fd >= 0) waiterOfFd.delete(fd);
  deadlines.remove(waiter);
  if (waiter.background) backgroundWaits--;
  if (ready !== true && fd >= 0) native.unwatch(fd);
  host.onWaitEnd?.(id);
  waiter.settle(ready);
}

/**
 * Rejects all current waits except `background` ones, because a signal ends the command. Later waits work as usual.
 * @returns whether there were any
 */
export function interruptWaits(error: Error): boolean {
  const waits = [...waiters.values()].filter((w) => !w.background);
  for (const { id } of waits) endWait(id, Promise.reject(error));
  return waits.length > 0;
}

/** The number of waits that keep the program running. */
export const pendingWaits = (): number => waiters.size - backgroundWaits;

const ids = new Uint8Array(64 * 4);
let trimsWhenIdle = false;
/** Whether any wait has ended since the program was last idle. */
let hasWorked = false;

/** For a server, or a command that waits without a limit: returns unused memory to the kernel from now on. */
export function trimWhenIdle(): void {
  trimsWhenIdle = host.tidy !== undefined;
  host.longLived?.();
}

/**
 * Sleeps until a wait is ready or times out, and ends it. Only QuickJS uses it, when the program has nothing else to
 * do; under Node.js libuv wakes the program (`node-host.ts`). False if no wait is left: the program is done.
 */
export function runOnce(): boolean {
  if (pendingWaits() === 0) return false;
  let timeout = deadlines.first ? Math.max(0, deadlines.first.deadline - now()) : -1;
  const isIdle = trimsWhenIdle && hasWorked && (timeout < 0 || timeout > idleAfter);
  if (isIdle) timeout = idleAfter;
  const n = native.ready(ids, timeout);
  hasWorked = n > 0 || !isIdle;
  if (!hasWorked) host.tidy?.();
  if (n < 0) throw new RuntError({ code: 'ERR_IO', message: 'wait for events', errno: -n, syscall: 'epoll_wait' });
  const view = new DataView(ids.buffer);
  for (let i = 0; i < n; i++) endWait(view.getInt32(4 * i, true), true);
  if (deadlines.first) {
    const time = now();
    for (let due = deadlines.first; due && due.deadline <= time; due = deadlines.first) endWait(due.id, false);
  }
  return true;
}
