/** The out-of-memory events of a container. */
import type { CgroupFacts } from '../../cgroup/cgroup-facts.js';
import { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { tryRead } from '../../cgroup/stats/cgroup-stats.js';
import { parseTable } from '../../cgroup/stats/stats-text.js';
import { RuntError } from '../../sys/error.js';
import { exists } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { IN_MODIFY } from '../../sys/linux.js';
import { forget, now } from '../../sys/waiting/loop.js';
import { recentOomEvent } from '../../sys/waiting/time-limits.js';

/** A watch for OOM kills: the kernel's notification, confirmed by its counter. */
export class MemoryWatch {
  /** Readable after an event; -1 without a memory controller. */
  readonly fd: number;
  private readonly file: string | undefined;
  /** File of the cgroup above the unit's, which systemd removes once it is empty: it also counts the kills below. */
  private readonly above: string | undefined;
  private readonly v2: boolean;
  private seen: number;
  private seenAbove: number;
  /** Time of the kernel's last notification. */
  private told = Number.NEGATIVE_INFINITY;

  /** @param unit the systemd unit whose cgroup is the container's or contains it @throws RuntError ERR_CGROUP */
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
   * Whether there was an OOM kill since the last call. v1 notifies each; on v2 the counter decides. If a unit's cgroup
   * was removed before the counter was read, the one above must have risen right after a notification.
   */
  happened(): boolean {
    if (this.fd < 0) return false;
    const told = this.take();
    if (told) this.told = now();
    const [before, beforeAbove] = [this.seen, this.seenAbove];
    // Above first: a kill in between then counts at the next call.
    this.seenAbove = killsIn(this.above);
    this.seen = killsIn(this.file);
    // v1's eventfd also signals the cgroup's removal; then the counter is gone.
    if (!this.v2) return told && this.seen >= 0;
    if (this.seen >= 0) return this.seen > before;
    return beforeAbove >= 0 && this.seenAbove > beforeAbove && now() - this.told < recentOomEvent;
  }

  close(): void {
    if (this.fd < 0) return;
    forget(this.fd);
    native.close(this.fd);
  }

  /** Reads notifications. On v2, ignores the inotify_event of the file's removal. */
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

/** Number of OOM kills so far; -1 if the cgroup is gone. */
function killsIn(file: string | undefined): number {
  // Also undefined while it is being removed (ENODEV).
  const text = file === undefined ? undefined : tryRead(file);
  return text === undefined ? -1 : Number(parseTable(text).oom_kill ?? 0);
}
