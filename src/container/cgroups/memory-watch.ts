/** The memory of a container, as far as the kernel tells that it has run out. */
import type { CgroupFacts } from '../../cgroup/cgroup-facts.js';
import { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { tryRead } from '../../cgroup/stats/cgroup-stats.js';
import { table } from '../../cgroup/stats/stats-text.js';
import { RuntError } from '../../sys/error.js';
import { exists } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { IN_MODIFY } from '../../sys/linux.js';
import { forget, now } from '../../sys/waiting/loop.js';
import { recentMemoryEvent } from '../../sys/waiting/time-limits.js';

/** Tells out-of-memory events of a container: by the kernel's word that something happened, and a count of what. */
export class MemoryWatch {
  /** Readable when there is something new; -1 when there is no memory controller. */
  readonly fd: number;
  private readonly file: string | undefined;
  /** Of the cgroup above one that systemd removes as soon as it is empty: it has the count of what was killed below too. */
  private readonly above: string | undefined;
  private readonly v2: boolean;
  private seen: number;
  private seenAbove: number;
  /** When the kernel told of something last. */
  private told = Number.NEGATIVE_INFINITY;

  /** @param unit of systemd's, whose cgroup or one below is the container's @throws RuntError ERR_CGROUP */
  constructor(facts: CgroupFacts, cgroups: readonly string[], unit?: string) {
    const path = new LiveCgroups(facts, cgroups).directory('memory');
    this.v2 = facts.layout === 'v2';
    const file = `memory.${this.v2 ? 'events' : 'oom_control'}`;
    const there = path !== undefined && exists(`${path}/${file}`);
    this.file = there ? `${path}/${file}` : undefined;
    const at = this.v2 && there && unit !== undefined ? path.indexOf(`/${unit}`) : -1;
    if (at > 0) this.above = `${path?.slice(0, at)}/${file}`;
    this.seenAbove = killsIn(this.above);
    this.seen = killsIn(this.file);
    this.fd = there ? native.memoryEvents(path) : -1;
    if (there && this.fd < 0) {
      throw new RuntError({ code: 'ERR_CGROUP', message: `watch the memory of ${path}`, path, errno: -this.fd });
    }
  }

  /**
   * Whether there was one since the last call. v1 tells each, v2 by its count. When the cgroup of a unit is gone before its count could be
   * read, the one above has risen just after an event here was told of.
   */
  happened(): boolean {
    if (this.fd < 0) return false;
    const told = this.take();
    if (told) this.told = now();
    const [before, beforeAbove] = [this.seen, this.seenAbove];
    // Above first: a kill in between is counted at the next call then.
    this.seenAbove = killsIn(this.above);
    this.seen = killsIn(this.file);
    // The eventfd of v1 is told of the cgroup's removal too; then there is no count any more.
    if (!this.v2) return told && this.seen >= 0;
    if (this.seen >= 0) return this.seen > before;
    return beforeAbove >= 0 && this.seenAbove > beforeAbove && now() - this.told < recentMemoryEvent;
  }

  close(): void {
    if (this.fd < 0) return;
    forget(this.fd);
    native.close(this.fd);
  }

  /** Reads what is told; of v2 each an inotify_event, and the removal of the file is none of these. */
  private take(): boolean {
    const buffer = new Uint8Array(4096);
    const n = native.read(this.fd, buffer);
    if (!this.v2) return n > 0;
    const view = new DataView(buffer.buffer);
    for (let at = 0; at + 16 <= n; at += 16 + view.getUint32(at + 12, true)) {
      if (view.getUint32(at + 4, true) & IN_MODIFY) return true;
    }
    return false;
  }
}

/** Processes ended for want of memory, so far; -1 when the cgroup is gone. */
function killsIn(file: string | undefined): number {
  // Also while it is being removed (ENODEV).
  const text = file === undefined ? undefined : tryRead(file);
  return text === undefined ? -1 : Number(table(text).oom_kill ?? 0);
}
