/** The memory limit of a container, as containerd hears of it: `/tasks/oom` when the kernel has killed for it. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { MemoryWatch } from '../../container/cgroups/memory-watch.js';
import type { ContainerRecord } from '../../container/state/state-store.js';
import { readable } from '../../sys/waiting/loop.js';
import type { TaskEvents } from './task-events.js';

export class MemoryLimit {
  private watch: MemoryWatch | undefined;

  /** Watches the container's cgroups; where that cannot be, it is a warning. */
  constructor(
    { cgroups, unit }: Pick<ContainerRecord, 'cgroups' | 'unit'>,
    private readonly events: TaskEvents,
    warn: (what: unknown) => void,
  ) {
    try {
      const watch = new MemoryWatch(readCgroupFacts(), cgroups, unit?.name);
      this.watch = watch;
      const next = async (): Promise<void> => {
        while (watch.fd >= 0 && (await readable(watch.fd)) && this.watch === watch) this.tell();
      };
      void next().catch(warn);
    } catch (error) {
      warn(error);
    }
  }

  private tell(): void {
    if (this.watch?.happened()) this.events.outOfMemory();
  }

  /** The container has ended: what ended it may have been the limit, in the same moment. */
  close(): void {
    this.tell();
    this.watch?.close();
    this.watch = undefined;
  }
}
