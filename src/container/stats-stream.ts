/** A stream of a container's statistics and out-of-memory events. */
import { isCgroup, readCgroupFacts } from '../cgroup/cgroup-facts.js';
import { readStats } from '../cgroup/stats/cgroup-stats.js';
import type { Stats } from '../cgroup/stats/stats-types.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { firstReadable, forget, now, trimWhenIdle } from '../sys/waiting/loop.js';
import { OomWatch } from './cgroups/oom-watch.js';
import { openProcess, statusOf } from './state/recorded-process.js';
import { type ContainerRecord, loadRecord, type Status } from './state/state-store.js';
import type { EarlyEnd } from './wait.js';

interface StatsOptions {
  readonly root: string;
  readonly id: string;
}

interface EventsOptions extends StatsOptions {
  /** ms between statistics. */
  readonly interval: number;
  readonly early?: EarlyEnd;
}

/** Statistics, after each interval. */
export interface StatsEvent {
  readonly type: 'stats';
  readonly id: string;
  readonly stats: Stats;
}

/** The container or a part of it reached its memory limit, and the kernel killed a process or would have. */
export interface OomEvent {
  readonly type: 'oom';
  readonly id: string;
}

export type ContainerEvent = StatsEvent | OomEvent;

/**
 * Current statistics of a container, and the last ones of one that has stopped and was not deleted: the kernel keeps
 * the counts of a cgroup until it is removed.
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS if it is being created, or has stopped without its cgroups
 */
export function stats(o: StatsOptions): Stats {
  const record = loadRecord(o.root, o.id);
  const status = statusOf(o.root, record);
  const isKept = status === 'stopped' && record.cgroups.some(isCgroup);
  if (!isKept) checkRunning(o, status);
  return readStats(readCgroupFacts(), record.cgroups);
}

function checkRunning({ id }: StatsOptions, status: Status): void {
  if (status !== 'stopped' && status !== 'creating') return;
  throw new RuntError({
    code: 'ERR_CONTAINER_STATUS',
    message: `container with id ${id} is not running: it is ${status}`,
  });
}

function loadRunning(o: StatsOptions): ContainerRecord {
  const record = loadRecord(o.root, o.id);
  checkRunning(o, statusOf(o.root, record));
  return record;
}

/**
 * Statistics now and after each interval, and out-of-memory events at once, until the container stops. Needs two
 * descriptors and no thread; `return`, which ends the iteration early, closes them.
 * @throws RuntError as `stats`; ERR_CGROUP if the memory cgroup cannot be watched
 */
export async function* events(o: EventsOptions): AsyncGenerator<ContainerEvent, void, undefined> {
  const record = loadRunning(o);
  const facts = readCgroupFacts();
  const pidfd = openProcess(record);
  if (pidfd < 0) return;
  let memory: OomWatch | undefined;
  try {
    memory = new OomWatch(facts, record.cgroups, record.unit?.name);
    trimWhenIdle();
    const fds = memory.fd < 0 ? [pidfd] : [pidfd, memory.fd];
    if (o.early) o.early.wake = () => forget(pidfd);
    let next = now();
    const nextOf = () => (o.early?.ended ? 0 : firstReadable(fds, Math.max(0, next - now())));
    for (let first = -1; first !== 0 && !o.early?.ended; first = await nextOf()) {
      if (first > 0 && memory.hasNewKill()) yield { type: 'oom', id: o.id };
      if (now() < next) continue;
      yield { type: 'stats', id: o.id, stats: readStats(facts, record.cgroups) };
      next = Math.max(next + o.interval, now());
    }
    // The container may have just ended because of its memory limit.
    if (memory.hasNewKill()) yield { type: 'oom', id: o.id };
  } finally {
    memory?.close();
    delete o.early?.wake;
    forget(pidfd);
    native.close(pidfd);
  }
}
