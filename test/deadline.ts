/** Waits of tests: for a condition, with a deadline. */

/**
 * The most ms for anything that is normally quick: on a machine with a load of 12, only what never happens takes
 * longer.
 */
export const DEADLINE = 60_000;

/** The most ms until a killed process has ended; shorter, so that a leftover process is not overlooked. */
export const GRACE = 10_000;

/** The most ms for a command. */
export const COMMAND_LIMIT = 120_000;

/** ms between two checks. */
const PAUSE = 5;

const late = (what: string, ms: number): Error => new Error(`${what}: not within ${ms} ms`);

/** Waits until `look` returns something other than false or undefined; throws an error with `what` after `ms`. */
export async function eventually<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  ms = DEADLINE,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await look();
    if (value !== false && value !== undefined) return value;
    if (Date.now() > deadline) throw late(what, ms);
    await elapse(PAUSE);
  }
}

/** Whether `look` returns true within `ms`. Blocks the thread, for tests between two synchronous commands. */
export function becomesTrue(look: () => boolean, ms: number): boolean {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = Date.now() + ms; !look(); Atomics.wait(never, 0, 0, PAUSE)) {
    if (Date.now() > deadline) return false;
  }
  return true;
}

/** Like eventually, but blocks the thread. */
export function blockUntil(what: string, look: () => boolean, ms = DEADLINE): void {
  if (!becomesTrue(look, ms)) throw late(what, ms);
}

/**
 * Lets time pass, for tests about time itself: nothing happens meanwhile, or something happens at different times. A
 * comment right above the call says which (test/deadline.test.ts).
 */
export function elapse(ms: number): Promise<void> {
  return new Promise((next) => setTimeout(next, ms));
}
