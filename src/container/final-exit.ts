/** The exit of a container with what it has used, read from its cgroups before they are removed. */
import { readCgroupFacts } from '../cgroup/cgroup-facts.js';
import { type FinalUsage, readUsage } from '../cgroup/stats/usage.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import type { RunEnd } from './run-end.js';
import type { Exit } from './state/exit-records.js';
import type { ContainerRecord } from './state/state-store.js';

/**
 * Completes what is known of an end: its time, whether it was for lack of memory, and the usage.
 * @param record undefined if the container was deleted
 */
export function finalExit(record: ContainerRecord | undefined, end: RunEnd): Exit {
  const { usage, oom } = record ? finalUsage(record) : { usage: {}, oom: false };
  return {
    exitedAtNs: native.realtime(),
    ...end,
    oom: end.oom ?? oom,
    ...(Object.keys(usage).length > 0 && { usage }),
  };
}

/** Nothing if a file cannot be read: it is no reason to lose the exit status. */
function finalUsage({ cgroups }: ContainerRecord): FinalUsage {
  try {
    return readUsage(readCgroupFacts(), cgroups);
  } catch (error) {
    if (error instanceof RuntError) return { usage: {}, oom: false };
    throw error;
  }
}
