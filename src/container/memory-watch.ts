/** The memory of a container, as far as the kernel tells that it has run out. */
import type { CgroupFacts } from '../cgroup/facts.js';
import { LiveCgroups } from '../cgroup/live.js';
import { table } from '../cgroup/stats-text.js';
import { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { native } from '../sys/host.js';
import { forget } from '../sys/loop.js';

/** Tells out-of-memory events of a container: by the kernel's word that something happened, and a count of what. */
export class MemoryWatch {
  /** Readable when there is something new; -1 when there is no memory controller. */
  readonly fd: number;
  private readonly path: string | undefined;
  private readonly v2: boolean;
  private seen: number;

  /** @throws RuntError ERR_CGROUP */
  constructor(facts: CgroupFacts, cgroups: readonly string[]) {
    const path = new LiveCgroups(facts, cgroups).directory('memory');
    this.v2 = facts.layout === 'v2';
    const there = path !== undefined && native.access(`${path}/memory.${this.v2 ? 'events' : 'oom_control'}`, 0) === 0;
    this.path = there ? path : undefined;
    this.seen = this.count();
    this.fd = this.path === undefined ? -1 : native.memoryEvents(this.path);
    if (this.path !== undefined && this.fd < 0) {
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `watch the memory of ${this.path}`,
        path: this.path,
        errno: -this.fd,
      });
    }
  }

  /** Whether there was one since the last call. v1 tells each, v2 by its count. */
  happened(): boolean {
    if (this.fd < 0) return false;
    const buffer = new Uint8Array(4096);
    const told = native.read(this.fd, buffer) > 0;
    const before = this.seen;
    this.seen = this.count();
    // The eventfd of v1 is told of the cgroup's removal too; then there is no count any more.
    return this.v2 ? this.seen > before : told && this.seen >= 0;
  }

  close(): void {
    if (this.fd < 0) return;
    forget(this.fd);
    native.close(this.fd);
  }

  /** Processes ended for want of memory, so far; -1 when the cgroup is gone. */
  private count(): number {
    if (this.path === undefined) return -1;
    const text = tryReadText(`${this.path}/memory.${this.v2 ? 'events' : 'oom_control'}`);
    return text === undefined ? -1 : Number(table(text).oom_kill ?? 0);
  }
}
