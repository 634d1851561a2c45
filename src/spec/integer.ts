/** An integer of the spec: a bigint beyond ±2^53, else a number. */
export type Int = number | bigint;
