/** Statistics without the numbers that the kernel writes on v1 for "no limit". */
import type { Count, Stats } from './stats-types.js';

/** The kernel writes LONG_MAX, rounded down to a page of any size. No host has memory for a limit of 2^53 bytes. */
const isLimit = (count: Count | undefined): boolean => typeof count === 'number';

/** The same statistics, in which an absent limit means none, as on v2; JSON.stringify refuses the bigints of v1. */
export function withFiniteLimits(stats: Stats): Stats {
  const { memory, hugepages } = stats;
  return {
    ...stats,
    ...(memory && {
      memory: {
        ...memory,
        usage: finite(memory.usage),
        swap: finite(memory.swap),
        ...(memory.kernel && { kernel: finite(memory.kernel) }),
        ...(memory.kernelTcp && { kernelTcp: finite(memory.kernelTcp) }),
        raw: Object.fromEntries(
          Object.entries(memory.raw).filter(([key, value]) => !/^hierarchical_mem/.test(key) || isLimit(value)),
        ),
      },
    }),
    ...(hugepages && {
      hugepages: Object.fromEntries(Object.entries(hugepages).map(([size, entry]) => [size, finite(entry)])),
    }),
  };
}

function finite<T extends { readonly limit?: Count }>(entry: T): T {
  if (isLimit(entry.limit)) return entry;
  const { limit: _, ...rest } = entry;
  return rest as T;
}
