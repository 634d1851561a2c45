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
export class OomWatch {
  /** Readable after an event; -1 without a memory controller. */
  readonly fd: number;
  private readonly file: string | undefined;
  /** File of the cgroup above the unit's, which systemd removes once it is empty: it also counts the kills below. */
  private readonly parentFile: string | undefined;
  private readonly v2: boolean;
  private kills: number;
  private parentKills: number;
  /** Time of the kernel's last notification. */
  private notifiedAt = Number.NEGATIVE_INFINITY;

  /** @param unit the systemd unit whose cgroup is the container's or contains it @throws RuntError ERR_CGROUP */
  constructor(facts: CgroupFacts, cgroups: readonly string[], unit?: string) {
    const path = new LiveCgroups(facts, cgroups).directory('memory');
    this.v2 = facts.layout === 'v2';
    const file = `memory.${this.v2 ? 'events' : 'oom_control'}`;
    const isThere = path !== undefined && exists(`${path}/${file}`);
    this.file = isThere ? `${path}/${file}` : undefined;
    const at = this.v2 && isThere && unit !== undefined ? path.indexOf(`/${unit}`) : -1;
    if (at > 0) this.parentFile = `${path?.slice(0, at)}/${file}`;
    this.parentKills = killsIn(this.parentFile);
    this.kills = killsIn(this.file);
    this.fd = isThere ? native.memoryEvents(path) : -1;
    if (isThere && this.fd < 0) {
      throw new RuntError({ code: 'ERR_CGROUP', message: `watch the memory of ${path}`, path, errno: -this.fd });
    }
  }

  /**
   * Whether there was an OOM kill since the last call. v1 notifies each; on v2 the counter decides. If a unit's cgroup
   * was removed before the counter was read, the one above must have risen right after a notification.
   */
  hasNewKill(): boolean {
    if (this.fd < 0) return false;
    const notified = this.readNotifications();
    if (notified) this.notifiedAt = now();
    const [before, parentBefore] = [this.kills, this.parentKills];
    // Above first: a kill in between then counts at the next call.
    this.parentKills = killsIn(this.parentFile);
    this.kills = killsIn(this.file);
    // v1's eventfd also signals the cgroup's removal; then the counter is gone.
    if (!this.v2) return notified && this.kills >= 0;
    if (this.kills >= 0) return this.kills > before;
    return parentBefore >= 0 && this.parentKills > parentBefore && now() - this.notifiedAt < recentOomEvent;
  }

  close(): void {
    if (this.fd < 0) return;
    forget(this.fd);
    native.close(this.fd);
  }

  /** Reads notifications. On v2, ignores the inotify_event of the file's removal. */
  private readNotifications(): boolean {
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
