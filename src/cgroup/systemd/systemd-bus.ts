/** D-Bus connection to a systemd manager, on a Unix socket; every wait has a deadline. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import { now, readable, sleep } from '../../sys/waiting/loop.js';
import { busAnswerTime, busRetryPause, jobPollInterval } from '../../sys/waiting/time-limits.js';
import { type Address, systemAddresses } from './bus-address.js';
import {
  CALL,
  decodeMessage,
  ERROR,
  encodeMessage,
  type Message,
  messageLength,
  REPLY,
  SIGNAL,
} from './bus-message.js';
import type { Value, Variant } from './variant.js';

const manager = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const;

/** The D-Bus error that systemd returned for a call. */
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

/** The connection ended, so the result of the call is unknown. */
class BusConnectionLost extends RuntError {}

/** Errors of a D-Bus daemon while systemd re-executes itself. */
const transientErrors: readonly string[] = [
  'org.freedesktop.DBus.Error.NoReply',
  'org.freedesktop.DBus.Error.Disconnected',
];

/**
 * Whether systemd or the bus disconnected during a call and will return, as after `systemctl daemon-reexec`. A call
 * that changes something may have been carried out.
 */
export function isTransient(error: unknown): boolean {
  return error instanceof BusConnectionLost || (error instanceof BusError && transientErrors.includes(error.busError));
}

/**
 * Runs `work` with a connection, then closes it. If systemd disconnects meanwhile, retries with a new one until
 * `timeout` (ms) is over. `work` receives the number of earlier tries: it must first check whether its call was
 * carried out.
 * @throws RuntError ERR_SYSTEMD, and what `work` throws
 */
export async function onBus<T>(
  addresses: readonly Address[],
  work: (bus: Bus, tries: number) => Promise<T>,
  timeout = busAnswerTime,
): Promise<T> {
  const end = now() + timeout;
  for (let tries = 0; ; tries++) {
    let bus: Bus | undefined;
    try {
      bus = await openBus(addresses, Math.max(busRetryPause, end - now()));
      return await work(bus, tries);
    } catch (error) {
      if (!isTransient(error) || now() + busRetryPause >= end) throw error;
    } finally {
      bus?.close();
    }
    await sleep(busRetryPause);
  }
}

/**
 * Connects to the first address at which a manager answers; each later wait lasts at most `timeout` ms.
 * @throws RuntError ERR_SYSTEMD with the first address's failure
 */
export async function openBus(addresses: readonly Address[] = systemAddresses, timeout = busAnswerTime): Promise<Bus> {
  let failed: RuntError | undefined;
  for (const address of addresses) {
    const socket = await connectTo(address.path, timeout);
    if (socket < 0) {
      failed ??= new RuntError({
        code: 'ERR_SYSTEMD',
        message: 'connect to systemd',
        path: address.path,
        errno: -socket,
        syscall: 'connect',
        hint: 'leave --systemd-cgroup out, and runt makes the cgroups itself: systemd does not run here, or its bus cannot be reached',
      });
      if (socket === -E.ENOENT || socket === -E.ECONNREFUSED) continue;
      break;
    }
    const bus = new Bus(socket, address, timeout);
    try {
      await bus.authenticate();
      return bus;
    } catch (error) {
      bus.close();
      // A bus without systemd, such as that of dbus-run-session(1).
      if (!(error instanceof BusError) || !noOwnerErrors.includes(error.busError)) throw error;
      failed ??= error;
    }
  }
  throw failed!;
}

/** Errors of a D-Bus daemon for a name without an owner. */
const noOwnerErrors: readonly string[] = [
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
  'org.freedesktop.DBus.Error.Spawn.ServiceNotFound',
];

export class Bus {
  private serial = 0;
  private buffer: Uint8Array = new Uint8Array(0);
  /** Results of jobs that have ended: their signals can arrive before the caller waits. */
  private readonly ended = new Map<string, string>();

  constructor(
    private readonly socket: number,
    /** Address of the other end. */
    readonly address: Address,
    /** Longest wait in ms for an answer or the end of a job. */
    public timeout = busAnswerTime,
  ) {}

  close(): void {
    native.close(this.socket);
  }

  /**
   * EXTERNAL uses the kernel's peer credentials. Send no name: that of a user namespace would be another user's
   * outside. A daemon also requires Hello, and the list of signals to send.
   */
  async authenticate(): Promise<void> {
    this.write(host.encode('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n'));
    const end = now() + this.timeout;
    // The server asks for the name and gets an empty one.
    for (const word of ['DATA', 'OK']) {
      const answer = await this.readLine(end);
      if (answer.split(' ')[0] !== word) throw protocolError(`it refused the authentication: ${answer}`);
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

  /** Calls a method of the manager. @returns its results @throws BusError, RuntError ERR_SYSTEMD */
  async call(member: string, signature: string, body: readonly Value[]): Promise<readonly Value[]> {
    return this.send({ ...manager, member }, signature, body);
  }

  /** A property of the manager. @throws BusError, RuntError ERR_SYSTEMD */
  async property(name: string): Promise<Value> {
    const to = { ...manager, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
    const [variant] = await this.send(to, 'ss', [manager.interface, name]);
    return (variant as Variant).value;
  }

  /**
   * Calls a method that queues a job, then `onQueued`, and waits until the job ends.
   * @returns the result: `done`, `failed` …; `gone` if the signal of its end was lost, as in a daemon-reexec
   */
  async job(member: string, signature: string, body: readonly Value[], onQueued?: () => void): Promise<string> {
    const [path] = await this.call(member, signature, body);
    onQueued?.();
    const end = now() + this.timeout;
    for (let nextPoll = now() + jobPollInterval; ; ) {
      const result = this.ended.get(String(path));
      if (result !== undefined) return result;
      if (!(await this.waitForData(Math.min(nextPoll, end)))) {
        if (now() >= end) throw timeoutError(this.timeout, `the job of ${member}`);
        if (!(await this.hasJob(String(path)))) return this.ended.get(String(path)) ?? 'gone';
        nextPoll = now() + jobPollInterval;
        continue;
      }
      this.recordSignal(await this.readMessage(end, `the job of ${member}`));
    }
  }

  private async hasJob(path: string): Promise<boolean> {
    const id = /(\d+)$/.exec(path)?.[1];
    if (id === undefined) return true;
    try {
      await this.call('GetJob', 'u', [BigInt(id)]);
      return true;
    } catch (error) {
      if (error instanceof BusError && error.busError === 'org.freedesktop.systemd1.NoSuchJob') return false;
      if (isTransient(error) && !(error instanceof BusConnectionLost)) return true;
      throw error;
    }
  }

  /** Whether data of a message arrives before `end`. */
  private async waitForData(end: number): Promise<boolean> {
    return this.buffer.length > 0 || (await readable(this.socket, Math.max(0, end - now())));
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
    const end = now() + this.timeout;
    for (;;) {
      const m = await this.readMessage(end, to.member);
      if (m.replySerial === serial && m.type === REPLY) return m.body;
      if (m.replySerial === serial && m.type === ERROR) {
        throw new BusError(`systemd: ${to.member}`, m.error ?? '', typeof m.body[0] === 'string' ? m.body[0] : '');
      }
      this.recordSignal(m);
    }
  }

  /** Reads a line of the authentication. */
  private async readLine(end: number): Promise<string> {
    for (;;) {
      const at = this.buffer.indexOf(0x0a);
      if (at >= 0) {
        const text = host.decode(this.buffer, at).trim();
        this.buffer = this.buffer.slice(at + 1);
        return text;
      }
      if (this.buffer.length > 4096) throw protocolError('its answer to the authentication is too long');
      await this.receive(end);
    }
  }

  private recordSignal(m: Message): void {
    if (m.type !== SIGNAL || m.interface !== manager.interface || m.member !== 'JobRemoved') return;
    const [, path, , result] = m.body;
    if (typeof path === 'string' && typeof result === 'string') this.ended.set(path, result);
  }

  private async readMessage(end: number, what: string): Promise<Message> {
    for (;;) {
      const length = this.buffer.length < 16 ? 16 : messageLength(this.buffer.subarray(0, 16));
      if (this.buffer.length >= 16 && this.buffer.length >= length) {
        const message = decodeMessage(this.buffer.slice(0, length));
        this.buffer = this.buffer.slice(length);
        return message;
      }
      await this.receive(end, what);
    }
  }

  private async receive(end: number, what = 'the authentication'): Promise<void> {
    if (!(await readable(this.socket, Math.max(0, end - now())))) throw timeoutError(this.timeout, what);
    const data = new Uint8Array(16384);
    const n = native.read(this.socket, data);
    if (n < 0) throw connectionError('read from D-Bus', n, 'read');
    if (n === 0)
      throw new BusConnectionLost({ code: 'ERR_SYSTEMD', message: `systemd: ${what}: it closed the connection` });
    const all = new Uint8Array(this.buffer.length + n);
    all.set(this.buffer);
    all.set(data.subarray(0, n), this.buffer.length);
    this.buffer = all;
  }

  private write(data: Uint8Array): void {
    const n = native.write(this.socket, data);
    if (n < 0) throw connectionError('write to D-Bus', n, 'write');
  }
}

function connectionError(message: string, result: number, syscall: string): RuntError {
  const facts = { code: 'ERR_SYSTEMD', message, errno: -result, syscall };
  return result === -E.EPIPE || result === -E.ECONNRESET ? new BusConnectionLost(facts) : new RuntError(facts);
}

const timeoutError = (timeout: number, what: string): RuntError =>
  protocolError(`${what}: no answer within ${timeout / 1000} seconds`);

const protocolError = (why: string): RuntError => new RuntError({ code: 'ERR_SYSTEMD', message: `systemd: ${why}` });
