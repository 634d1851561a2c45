/** The queue of events to containerd, in the order of their occurrence. */

import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { now, sleep, withTimeout } from '../../sys/waiting/loop.js';
import {
  firstPublishPause,
  longestPublishPause,
  publishAnswerTime,
  publishPollInterval,
} from '../../sys/waiting/time-limits.js';
import { log } from '../shim-log.js';
import { events } from '../transport/protos.js';
import { StatusError } from '../transport/status-code.js';
import { Connection } from '../transport/ttrpc.js';
import { timestampOf } from './proto-timestamp.js';

const SERVICE = 'containerd.services.events.ttrpc.v1.Events';
/** Attempts to send an event that containerd answers with an error. */
const attempts = 5;

/** Limits of the queue, in events and in bytes. Beyond them the oldest events are dropped. */
interface QueueLimits {
  readonly events: number;
  readonly bytes: number;
}
const defaultLimits: QueueLimits = { events: 8192, bytes: 2 << 20 };

interface QueuedEvent {
  /** For the log. */
  readonly what: string;
  readonly payload: Uint8Array;
}

export class Publisher {
  private readonly queue: QueuedEvent[] = [];
  private bytes = 0;
  private sending: Promise<void> | undefined;
  private isWatched = false;
  private connection: Connection | undefined;

  constructor(
    /** Path of containerd's ttrpc socket; empty for no publishing. */
    private readonly address: string,
    readonly namespace: string,
    private readonly limits: QueueLimits = defaultLimits,
  ) {}

  /** The number of undelivered events. */
  get queueLength(): number {
    return this.queue.length;
  }

  /** Queues an event of a container. `name` is the message's name in containerd.events. */
  publish(id: string, topic: string, name: string, value: Uint8Array): void {
    if (this.address === '') return;
    const envelope = {
      timestamp: timestampOf(native.realtime()),
      namespace: this.namespace,
      topic,
      event: { type_url: `containerd.events.${name}`, value },
    };
    const payload = events.ForwardRequest.encode({ envelope }).finish();
    this.queue.push({ what: `${id}: the event ${topic}`, payload });
    this.bytes += payload.length;
    while (this.queue.length > 1 && (this.queue.length > this.limits.events || this.bytes > this.limits.bytes))
      this.drop('too many events wait for containerd');
    this.sending ??= this.send().finally(() => {
      this.sending = undefined;
    });
    if (!this.isWatched) void this.watch();
  }

  /** Resolves when all events are delivered, or after `ms`; drops the rest. */
  async flush(ms: number): Promise<void> {
    if (this.sending) await withTimeout(this.sending, ms);
    while (this.queue.length > 0) this.drop('containerd could not be reached before the end of the shim');
  }

  private drop(why: string): void {
    const first = this.takeFirst();
    if (first) log('events', `${first.what} is lost: ${why}`);
  }

  private takeFirst(): QueuedEvent | undefined {
    const first = this.queue.shift();
    this.bytes -= first?.payload.length ?? 0;
    return first;
  }

  private async send(): Promise<void> {
    let [pause, refusals] = [firstPublishPause, 0];
    for (let first = this.queue[0]; first; first = this.queue[0]) {
      try {
        await (await this.connect()).call(SERVICE, 'Forward', first.payload);
        // It may have been dropped while it was sent.
        if (this.queue[0] === first) this.takeFirst();
        [pause, refusals] = [firstPublishPause, 0];
      } catch (error) {
        if (error instanceof StatusError && ++refusals >= attempts && this.queue[0] === first) {
          this.drop(`containerd answers ${error.message}`);
          refusals = 0;
          continue;
        }
        // containerd is restarting: retry without a limit, so that it gets the events of that time.
        if (!(error instanceof StatusError)) this.disconnect();
        await sleep(pause);
        pause = Math.min(2 * pause, longestPublishPause);
      }
    }
  }

  /** Closes a connection on which containerd does not answer: the pending call fails. */
  private async watch(): Promise<void> {
    this.isWatched = true;
    let [first, since] = [this.queue[0], now()];
    while (this.queue.length > 0) {
      await sleep(publishPollInterval);
      if (this.queue[0] !== first) [first, since] = [this.queue[0], now()];
      else if (now() - since > publishAnswerTime) this.disconnect();
    }
    this.isWatched = false;
  }

  private disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  private async connect(): Promise<Connection> {
    if (this.connection) return this.connection;
    const fd = await connectAt(AT_FDCWD, this.address);
    if (fd < 0) throw new Error(`connect ${host.name} to ${this.address}`);
    const connection = new Connection(fd);
    this.connection = connection;
    void connection.serve().then(() => {
      if (this.connection === connection) this.connection = undefined;
    });
    return connection;
  }
}
