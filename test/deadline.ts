/** How long tests wait. */

/**
 * ms that something may take which takes a moment: on a machine with a load of 12, only what never happens takes
 * longer.
 */
export const DEADLINE = 60_000;

/** ms within which a process that was killed must have ended; shorter, so that one that is left is not overlooked. */
export const GRACE = 10_000;

/** ms that a command may take. */
export const COMMAND_LIMIT = 120_000;
