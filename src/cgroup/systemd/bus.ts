/** A connection to a manager of systemd's over D-Bus, on a Unix socket; every wait has a deadline. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { now, readable } from '../../sys/loop.js';
import { connectTo } from '../../sys/unix-socket.js';
import { type Address, systemAddresses } from './address.js';
import { CALL, decodeMessage, ERROR, encodeMessage, type Message, messageLength, REPLY, SIGNAL } from './message.js';
import type { Value, Variant } from './variant.js';

/** ms; systemd answers at once, but for a job it may wait for others. */
const usualPatience = 30_000;

const manager = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const;

/** What a call of systemd's was answered with. */
export class BusError extends RuntError {
  constructor(
    message: string,
    /** Name of the D-Bus error, such as `org.freedesktop.systemd1.UnitExists`. */
    readonly busError: string,
    text: string,
  ) {
    super({ code: 'ERR_SYSTEMD', message: `${message}: ${text === '' ? busError : `${text} (${busError})`}` });
  }
}

/**
 * Connects to the first of the addresses at which a manager answers; each wait then lasts `patience` ms at most.
 * @throws RuntError ERR_SYSTEMD with the first address's failure
 */
export async function openBus(addresses: readonly Address[] = systemAddresses, patience = usualPatience): Promise<Bus> {
  let failed: RuntError | undefined;
  for (const address of addresses) {
    const socket = await connectTo(address.path, patience);
    if (socket < 0) {
      failed ??= new RuntError({
        code: 'ERR_SYSTEMD',
        message: 'connect to systemd',
        path: address.path,
        errno: -socket,
        syscall: 'connect',
        hint: 'systemd does not run here, or its bus cannot be reached: without --systemd-cgroup runt makes cgroups by itself',
      });
      if (socket === -E.ENOENT || socket === -E.ECONNREFUSED) continue;
      break;
    }
    const bus = new Bus(socket, address, patience);
    try {
      await bus.begin();
      return bus;
    } catch (error) {
      bus.close();
      // A bus without a systemd behind it, such as that of dbus-run-session(1).
      if (!(error instanceof BusError) || !withoutOwner.includes(error.busError)) throw error;
      failed ??= error;
    }
  }
  throw failed!;
}

/** How a D-Bus daemon says that nobody has a name. */
const withoutOwner: readonly string[] = [
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
  'org.freedesktop.DBus.Error.Spawn.ServiceNotFound',
];

export class Bus {
  private serial = 0;
  private buffer: Uint8Array = new Uint8Array(0);
  /** Jobs that have ended, and how: their signals may come before anybody asks. */
  private readonly ended = new Map<string, string>();

  constructor(
    private readonly socket: number,
    /** Where the other side is. */
    readonly address: Address,
    /** ms that an answer, or the end of a job, is waited for. */
    public patience = usualPatience,
  ) {}

  close(): void {
    native.close(this.socket);
  }

  /**
   * EXTERNAL: the kernel tells the other side who we are, so no name is given: that of a user namespace would not be ours outside. A daemon
   * wants to be greeted, and to be told which signals to send.
   */
  async begin(): Promise<void> {
    this.write(host.encode('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n'));
    const end = now() + this.patience;
    // It asks for the name, and gets none.
    for (const word of ['DATA', 'OK']) {
      const answer = await this.line(end);
      if (answer.split(' ')[0] !== word) throw broken(`it refused the authentication: ${answer}`);
    }
    if (!this.address.daemon) return;
    const daemon = {
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
    };
    await this.send({ ...daemon, member: 'Hello' }, '', []);
    const rule = `type='signal',sender='${manager.destination}',interface='${manager.interface}',member='JobRemoved',path='${manager.path}'`;
    await this.send({ ...daemon, member: 'AddMatch' }, 's', [rule]);
    await this.call('Subscribe', '', []);
  }

  /** Calls a method of the manager's. @returns its results @throws BusError, RuntError ERR_SYSTEMD */
  async call(member: string, signature: string, body: readonly Value[]): Promise<readonly Value[]> {
    return this.send({ ...manager, member }, signature, body);
  }

  /** A property of the manager's. @throws BusError, RuntError ERR_SYSTEMD */
  async property(name: string): Promise<Value> {
    const to = { ...manager, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
    const [variant] = await this.send(to, 'ss', [manager.interface, name]);
    return (variant as Variant).value;
  }

  /** Calls a method that begins a job, then `begun`, and waits until the job ends. @returns how: `done`, `failed` … */
  async job(member: string, signature: string, body: readonly Value[], begun?: () => void): Promise<string> {
    const [path] = await this.call(member, signature, body);
    begun?.();
    const end = now() + this.patience;
    for (;;) {
      const result = this.ended.get(String(path));
      if (result !== undefined) return result;
      this.note(await this.next(end, `the job of ${member}`));
    }
  }

  private async send(
    to: { destination: string; path: string; interface: string; member: string },
    signature: string,
    body: readonly Value[],
  ): Promise<readonly Value[]> {
    const serial = ++this.serial;
    const { destination, ...rest } = to;
    const message = { type: CALL, serial, ...rest, ...(this.address.daemon && { destination }), signature, body };
    this.write(encodeMessage(message));
    const end = now() + this.patience;
    for (;;) {
      const m = await this.next(end, to.member);
      if (m.replySerial === serial && m.type === REPLY) return m.body;
      if (m.replySerial === serial && m.type === ERROR) {
        throw new BusError(`systemd: ${to.member}`, m.error ?? '', typeof m.body[0] === 'string' ? m.body[0] : '');
      }
      this.note(m);
    }
  }

  /** A line of the authentication. */
  private async line(end: number): Promise<string> {
    for (;;) {
      const at = this.buffer.indexOf(0x0a);
      if (at >= 0) {
        const text = host.decode(this.buffer, at).trim();
        this.buffer = this.buffer.slice(at + 1);
        return text;
      }
      if (this.buffer.length > 4096) throw broken('its answer to the authentication has no end');
      await this.more(end);
    }
  }

  private note(m: Message): void {
    if (m.type !== SIGNAL || m.interface !== manager.interface || m.member !== 'JobRemoved') return;
    const [, path, , result] = m.body;
    if (typeof path === 'string' && typeof result === 'string') this.ended.set(path, result);
  }

  private async next(end: number, what: string): Promise<Message> {
    for (;;) {
      const length = this.buffer.length < 16 ? 16 : messageLength(this.buffer.subarray(0, 16));
      if (this.buffer.length >= 16 && this.buffer.length >= length) {
        const message = decodeMessage(this.buffer.slice(0, length));
        this.buffer = this.buffer.slice(length);
        return message;
      }
      await this.more(end, what);
    }
  }

  private async more(end: number, what = 'the authentication'): Promise<void> {
    if (!(await readable(this.socket, Math.max(0, end - now())))) {
      throw broken(`there was no end in ${this.patience / 1000} seconds: ${what}`);
    }
    const data = new Uint8Array(16384);
    const n = native.read(this.socket, data);
    if (n < 0) throw new RuntError({ code: 'ERR_SYSTEMD', message: 'read from D-Bus', errno: -n, syscall: 'read' });
    if (n === 0) throw broken(`it closed the connection: ${what}`);
    const all = new Uint8Array(this.buffer.length + n);
    all.set(this.buffer);
    all.set(data.subarray(0, n), this.buffer.length);
    this.buffer = all;
  }

  private write(data: Uint8Array): void {
    const n = native.write(this.socket, data);
    if (n < 0) throw new RuntError({ code: 'ERR_SYSTEMD', message: 'write to D-Bus', errno: -n, syscall: 'write' });
  }
}

const broken = (why: string): RuntError => new RuntError({ code: 'ERR_SYSTEMD', message: `systemd: ${why}` });
