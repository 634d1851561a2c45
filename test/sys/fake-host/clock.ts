/** The clock of the fake kernel, and epoll. No wait takes real time: it moves the clock to the next event. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import type { Descriptors, OpenFile } from './descriptors.js';

interface Watch {
  readonly id: number;
  readonly file: OpenFile;
  readonly out: boolean;
}

export class Clock {
  /** ms since boot. */
  private ms = 5_000_000;
  private readonly events: { readonly at: number; readonly happens: () => void }[] = [];
  private readonly watches = new Map<number, Watch>();

  constructor(private readonly descriptors: Descriptors) {}

  get now(): number {
    return this.ms;
  }

  /** Schedules an event after `ms` milliseconds of the fake clock. */
  after(ms: number, happens: () => void): void {
    this.events.push({ at: this.ms + ms, happens });
    this.events.sort((a, b) => a.at - b.at);
  }

  /** Moves the clock, but not beyond `limit`, to the next event. False if there is none. */
  step(limit = Number.POSITIVE_INFINITY): boolean {
    const next = this.events[0];
    if (!next || next.at > limit) return false;
    this.events.shift();
    this.ms = Math.max(this.ms, next.at);
    next.happens();
    return true;
  }

  private watch(fd: number, id: number, out: boolean): number {
    const file = this.descriptors.get(fd);
    if (!file) return -E.EBADF;
    if (!file.watchable) return -E.EPERM;
    this.watches.set(fd, { id, file, out });
    return 0;
  }

  /** The ids that are ready; each is reported once. */
  private taken(most: number): number[] {
    const ready = [...this.watches].filter(([, { file, out }]) => (out ? file.writable : file.readable));
    return ready.slice(0, most).map(([fd, { id }]) => {
      this.watches.delete(fd);
      return id;
    });
  }

  calls() {
    return {
      monotonic: () => BigInt(Math.round(this.ms * 1e6)),
      realtime: () => 1_700_000_000_123_456_789n + BigInt(Math.round(this.ms * 1e6)),
      watch: (fd, id) => this.watch(fd, id, false),
      watchOut: (fd, id) => this.watch(fd, id, true),
      unwatch: (fd) => (this.watches.delete(fd) ? 0 : -E.ENOENT),
      isReadable: (fd) => {
        const file = this.descriptors.get(fd);
        return file ? Number(file.readable) : -E.EBADF;
      },
      ready: (ids, timeout) => {
        const limit = timeout < 0 ? Number.POSITIVE_INFINITY : this.ms + timeout;
        let ready = this.taken(ids.length / 4);
        if (ready.length === 0) {
          // One event at a time: after it the code may wait for less.
          const happened = this.step(limit);
          if (!happened && timeout < 0) {
            const files = [...this.watches.values()].map(({ file }) => file.shown);
            throw new Error(`the code waits for ever, for ${files.join(' and ')}`);
          }
          if (!happened) this.ms = limit;
          ready = this.taken(ids.length / 4);
        }
        ids.set(new Uint8Array(new Int32Array(ready).buffer));
        return ready.length;
      },
    } satisfies Partial<Native>;
  }
}
