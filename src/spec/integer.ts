/** An integer of the spec that may be wider than 53 bits: a bigint when it is beyond ±2^53, else a number. */
export type Int = number | bigint;
