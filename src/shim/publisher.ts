/** Events to containerd, in the order in which they happened; what cannot be delivered waits until it can. */
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { sleep } from '../sys/loop.js';
import { events } from './protos.js';
import { timestampOf } from './time.js';
import { Connection } from './ttrpc.js';

const SERVICE = 'containerd.services.events.ttrpc.v1.Events';
/** ms between attempts, and how many events wait at most: the oldest go first. */
const pause = 500;
const most = 2048;

interface Waiting {
  readonly payload: Uint8Array;
  attempts: number;
}

export class Publisher {
  private readonly queue: Waiting[] = [];
  private sending: Promise<void> | undefined;
  private connection: Connection | undefined;

  constructor(
    /** Path of containerd's ttrpc socket; empty when there is none to tell. */
    private readonly address: string,
    readonly namespace: string,
  ) {}

  /** Queues an event. `name` is that of its message in containerd.events. */
  publish(topic: string, name: string, value: Uint8Array): void {
    if (this.address === '') return;
    const envelope = {
      timestamp: timestampOf(native.realtime()),
      namespace: this.namespace,
      topic,
      event: { type_url: `containerd.events.${name}`, value },
    };
    this.queue.push({ payload: events.ForwardRequest.encode({ envelope }).finish(), attempts: 0 });
    if (this.queue.length > most) this.queue.shift();
    this.sending ??= this.send().finally(() => {
      this.sending = undefined;
    });
  }

  /** Resolves when all is delivered, or after `ms`. */
  async flush(ms: number): Promise<void> {
    if (this.sending) await Promise.race([this.sending, sleep(ms)]);
  }

  private async send(): Promise<void> {
    for (let first = this.queue[0]; first; first = this.queue[0]) {
      try {
        await this.reach().call(SERVICE, 'Forward', first.payload);
        this.queue.shift();
      } catch {
        this.connection?.close();
        this.connection = undefined;
        // containerd may be restarting. It forgets what happened in half a minute's time anyway: it asks for the state.
        if (++first.attempts > 60) this.queue.shift();
        await sleep(pause);
      }
    }
  }

  private reach(): Connection {
    if (this.connection) return this.connection;
    const fd = native.unixConnect(AT_FDCWD, this.address);
    if (fd < 0) throw new Error(`connect ${host.name} to ${this.address}`);
    const connection = new Connection(fd);
    this.connection = connection;
    void connection.serve().then(() => {
      if (this.connection === connection) this.connection = undefined;
    });
    return connection;
  }
}
