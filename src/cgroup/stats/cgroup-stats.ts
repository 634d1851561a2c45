/** Statistics of a container's cgroups. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import type { CgroupFacts } from '../cgroup-facts.js';
import type { ReadFile, Stats } from './stats-types.js';
import { statsV1 } from './stats-v1.js';
import { statsV2 } from './stats-v2.js';

/**
 * The statistics of a container from its cgroup directories (`cgroups` of its record). Skips files that the kernel does
 * not have, so this throws only for text that cannot be parsed.
 */
export function readStats(facts: CgroupFacts, cgroups: readonly string[], read: ReadFile = tryRead): Stats {
  if (facts.layout === 'v2') return cgroups[0] === undefined ? {} : statsV2(cgroups[0], read);
  return statsV1(facts, cgroups, read);
}

/**
 * As tryReadText; also undefined for a statistic that the kernel does not keep (PSI is off) and for a removed cgroup.
 */
export function tryRead(path: string): string | undefined {
  try {
    return tryReadText(path);
  } catch (error) {
    const errno = error instanceof RuntError ? error.errno : undefined;
    if (errno === E.EOPNOTSUPP || errno === E.ENODEV) return undefined;
    throw error;
  }
}
