/** OOM events of a container: sends `/tasks/oom` when the kernel has killed a process at the memory limit. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { OomWatch } from '../../container/cgroups/oom-watch.js';
import type { ContainerRecord } from '../../container/state/state-store.js';
import { readable } from '../../sys/waiting/loop.js';
import type { TaskEvents } from './task-events.js';

export class OomEvents {
  private watch: OomWatch | undefined;

  /** Watches the container's cgroups; only warns if that fails. */
  constructor(
    { cgroups, unit }: Pick<ContainerRecord, 'cgroups' | 'unit'>,
    private readonly events: TaskEvents,
    warn: (what: unknown) => void,
  ) {
    try {
      const watch = new OomWatch(readCgroupFacts(), cgroups, unit?.name);
      this.watch = watch;
      const next = async (): Promise<void> => {
        while (watch.fd >= 0 && (await readable(watch.fd)) && this.watch === watch) this.publishKills();
      };
      void next().catch(warn);
    } catch (error) {
      warn(error);
    }
  }

  private publishKills(): void {
    if (this.watch?.hasNewKill()) this.events.outOfMemory();
  }

  /** Ends the watch. Checks once more: the OOM killer may be what has just ended the container. */
  close(): void {
    this.publishKills();
    this.watch?.close();
    this.watch = undefined;
  }
}
