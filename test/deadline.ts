/** Waits of tests: for a condition, with a deadline. */

/**
 * ms that something may take which takes a moment: on a machine with a load of 12, only what never happens takes
 * longer.
 */
export const DEADLINE = 60_000;

/** ms within which a process that was killed must have ended; shorter, so that one that is left is not overlooked. */
export const GRACE = 10_000;

/** ms that a command may take. */
export const COMMAND_LIMIT = 120_000;

/** ms between two looks. */
const PAUSE = 5;

const late = (what: string, ms: number): Error => new Error(`${what}: not within ${ms} ms`);

/** Waits until `look` gives something that is not false; throws naming `what` after `ms`. */
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

/** Whether `look` gives true within `ms`. Blocks the thread, for tests between two synchronous commands. */
export function becomesTrue(look: () => boolean, ms: number): boolean {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = Date.now() + ms; !look(); Atomics.wait(never, 0, 0, PAUSE)) {
    if (Date.now() > deadline) return false;
  }
  return true;
}

/** As eventually, but blocks the thread. */
export function blockUntil(what: string, look: () => boolean, ms = DEADLINE): void {
  if (!becomesTrue(look, ms)) throw late(what, ms);
}

/**
 * Lets time pass, where the time itself is tested: nothing happens meanwhile, or something is done at different moments.
 * A comment right above the call says which (test/deadline.test.ts).
 */
export function elapse(ms: number): Promise<void> {
  return new Promise((next) => setTimeout(next, ms));
}
