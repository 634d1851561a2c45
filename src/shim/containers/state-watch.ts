/** Watch: the states of the containers below a root, for clients that follow them. */
import { sleep, withTimeout } from '../../sys/waiting/loop.js';
import { watchInterval, watchPause } from '../../sys/waiting/time-limits.js';
import { log } from '../shim-log.js';
import { api } from './api-protos.js';
import { listMessages } from './container-message.js';
import type { OpenCall } from './open-calls.js';

/** Encoded containers by id. */
type Snapshot = ReadonlyMap<string, { readonly container: api.Container.$Properties; readonly text: string }>;

export class StateWatch {
  private current: Snapshot = new Map();
  /** Called when `current` has changed. */
  private readonly listeners = new Set<() => void>();
  private watchers = 0;
  private looking = false;
  private wake: (() => void) | undefined;
  /** Something has changed since the last look. */
  private isStale = false;

  constructor(private readonly root: string) {}

  /** Looks at the containers at once, because this server has changed one. */
  changed(): void {
    this.isStale = true;
    this.wake?.();
  }

  /** Serves a client until its call ends. @throws StatusError CANCELLED, UNAVAILABLE; RuntError ERR_STATE */
  async serve(call: OpenCall, id: string): Promise<never> {
    const chosen = (): Snapshot =>
      id === '' ? this.current : new Map([...this.current].filter(([name]) => name === id));
    if (this.watchers === 0) this.current = this.look();
    this.watchers++;
    try {
      if (!this.looking) void this.lookOn();
      let sent = chosen();
      let seen = this.current;
      await send(call, { present: { containers: [...sent.values()].map(({ container }) => container) } });
      for (;;) {
        if (this.current === seen) {
          await call.until<void>((settle) => {
            this.listeners.add(settle);
            return () => this.listeners.delete(settle);
          });
        }
        seen = this.current;
        const next = chosen();
        for (const removed of sent.keys()) if (!next.has(removed)) await send(call, { removed });
        for (const [name, { container, text }] of next)
          if (sent.get(name)?.text !== text) await send(call, { changed: container });
        sent = next;
      }
    } finally {
      this.watchers--;
      this.wake?.();
    }
  }

  /** Looks again and again, as long as somebody watches. Other programs change containers too. */
  private async lookOn(): Promise<void> {
    this.looking = true;
    while (this.watchers > 0) {
      const woken = new Promise<void>((settle) => {
        this.wake = settle;
      });
      if (!this.isStale) await withTimeout(woken, watchInterval);
      this.isStale = false;
      try {
        const next = this.look();
        if (!isSame(next, this.current)) {
          this.current = next;
          for (const settle of this.listeners) settle();
        }
      } catch (error) {
        log('watch', error);
      }
      await sleep(watchPause);
    }
    this.wake = undefined;
    this.looking = false;
  }

  /** @throws RuntError ERR_STATE */
  private look(): Snapshot {
    return new Map(
      listMessages(this.root, () => {}).map((container) => [
        container.id ?? '',
        { container, text: JSON.stringify(container) },
      ]),
    );
  }
}

function isSame(a: Snapshot, b: Snapshot): boolean {
  return a.size === b.size && [...a].every(([id, { text }]) => b.get(id)?.text === text);
}

const send = ({ stream }: OpenCall, event: api.WatchEvent.$Properties): Promise<void> =>
  stream.send(api.WatchEvent.encode(event).finish());
