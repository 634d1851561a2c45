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
  return watched(native.watch(fd, id), id, fd, timeout);
}

/** The same for when fd is writable, or broken. */
export function writable(fd: number, timeout = -1): Promise<boolean> {
  const id = ++lastId;
  return watched(native.watchOut(fd, id), id, fd, timeout);
}

function watched(r: number, id: number, fd: number, timeout: number): Promise<boolean> {
  // A regular file cannot be watched, as it is always ready.
  if (r === -E.EPERM) return Promise.resolve(true);
  if (r < 0) return Promise.reject(new RuntError({ code: 'ERR_IO', message: `watch descriptor ${fd}`, errno: -r }));
  return wait(id, fd, timeout);
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
