/**
 * Waiting without blocking. `readable` is what everything that waits is made of: under QuickJS the program sleeps in
 * `turn` when nothing else is to be done; under Node.js the host wakes it from libuv (`node.ts`).
 */
import { E } from './errno.js';
import { RuntError } from './error.js';
import { host, native } from './host.js';

interface Waiter {
  readonly fd: number;
  /** Milliseconds on CLOCK_MONOTONIC; Infinity for none. */
  readonly deadline: number;
  readonly settle: (ready: boolean) => void;
}

const waiters = new Map<number, Waiter>();
let lastId = 0;

/** Milliseconds on CLOCK_MONOTONIC. */
export const now = (): number => Number(native.monotonic() / 1_000_000n);

/**
 * Resolves with true when fd is readable or hung up, with false after `timeout` ms (-1 for never). One wait at a time for a
 * descriptor, which must stay open meanwhile.
 */
export function readable(fd: number, timeout = -1): Promise<boolean> {
  const id = ++lastId;
  const r = native.watch(fd, id);
  // A regular file cannot be watched, and is always readable.
  if (r === -E.EPERM && native.isReadable(fd) === 1) return Promise.resolve(true);
  return watched(r, id, fd, timeout);
}

/**
 * As readable, and looks now and then where epoll takes no more descriptors (ENOSPC: fs.epoll.max_user_watches): for the ends of
 * processes, so that what was begun can always be undone.
 */
export function readableOrPolled(fd: number, timeout = -1): Promise<boolean> {
  const id = ++lastId;
  if (native.watch(fd, id) >= 0) return wait(id, fd, timeout);
  return until(() => native.isReadable(fd) === 1, timeout);
}

/** Looks with longer and longer pauses until `look` gives true; false after `timeout` ms (-1 for no limit). */
export async function until(look: () => boolean, timeout = -1): Promise<boolean> {
  const end = timeout < 0 ? Number.POSITIVE_INFINITY : now() + timeout;
  for (let pause = 1; !look(); pause = Math.min(2 * pause, 50)) {
    if (now() >= end) return false;
    await sleep(pause);
  }
  return true;
}

/** The same for when fd is writable, or broken. */
export function writable(fd: number, timeout = -1): Promise<boolean> {
  const id = ++lastId;
  const r = native.watchOut(fd, id);
  // A regular file cannot be watched, and is always writable.
  if (r === -E.EPERM && native.isReadable(fd) === 1) return Promise.resolve(true);
  return watched(r, id, fd, timeout);
}

function watched(r: number, id: number, fd: number, timeout: number): Promise<boolean> {
  if (r >= 0) return wait(id, fd, timeout);
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
  await wait(++lastId, -1, ms);
}

function wait(id: number, fd: number, timeout: number): Promise<boolean> {
  return new Promise((settle) => {
    waiters.set(id, { fd, deadline: timeout < 0 ? Number.POSITIVE_INFINITY : now() + timeout, settle });
    host.waiting?.(id, timeout);
  });
}

/** Ends the waits for fd as if their time were over: before it is closed, or when nobody cares any more. */
export function forget(fd: number): void {
  for (const [id, w] of waiters) if (w.fd === fd) wake(id, false);
}

/** Ends the wait `id`: it is ready, or its time is over. What is not waited for any more is passed over. */
export function wake(id: number, ready: boolean): void {
  const waiter = waiters.get(id);
  if (!waiter) return;
  waiters.delete(id);
  if (!ready && waiter.fd >= 0) native.unwatch(waiter.fd);
  host.ended?.(id);
  waiter.settle(ready);
}

/** How many wait. */
export const pending = (): number => waiters.size;

const ids = new Uint8Array(64 * 4);

/** Sleeps until at least one wait ends, and ends it. False when nobody waits: then nothing will ever happen again. */
export function turn(): boolean {
  if (waiters.size === 0) return false;
  let deadline = Number.POSITIVE_INFINITY;
  for (const w of waiters.values()) deadline = Math.min(deadline, w.deadline);
  const timeout = deadline === Number.POSITIVE_INFINITY ? -1 : Math.max(0, deadline - now());
  const n = native.ready(ids, timeout);
  if (n < 0) throw new RuntError({ code: 'ERR_IO', message: 'wait for events', errno: -n, syscall: 'epoll_wait' });
  const view = new DataView(ids.buffer);
  for (let i = 0; i < n; i++) wake(view.getInt32(4 * i, true), true);
  if (deadline !== Number.POSITIVE_INFINITY) {
    const time = now();
    for (const [id, w] of waiters) if (w.deadline <= time) wake(id, false);
  }
  return true;
}
