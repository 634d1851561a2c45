/** A systemd manager on the fake kernel: it speaks D-Bus on its socket, starts and stops scopes, restarts services. */
import {
  CALL,
  decodeMessage,
  ERROR,
  encodeMessage,
  type Message,
  messageLength,
  REPLY,
  SIGNAL,
} from '../../../src/cgroup/systemd/bus-message.js';
import type { Value, Variant } from '../../../src/cgroup/systemd/variant.js';
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { SocketEnd } from '../../sys/fake-host/sockets.js';

/** What it does instead of systemd's action: an error by its name, silence, or a closed connection. */
type Instead = { readonly error: string; readonly text?: string } | 'silence' | 'hang up';

export class FakeSystemd {
  /** The methods that were called, with the names in their arguments: `StopUnit web.scope replace`. */
  readonly calls: string[] = [];
  /** The properties of each unit, by name. */
  readonly units = new Map<string, Map<string, Value>>();
  version = '257.9-1';
  /** The active state of each service that is loaded, by name. */
  readonly services = new Map<string, string>();
  /** The result of every job. */
  result = 'done';
  /** Called for each method call. */
  instead: (member: string, times: number) => Instead | undefined = () => undefined;
  private jobs = 0;
  private readonly times = new Map<string, number>();

  constructor(
    private readonly kernel: FakeKernel,
    /** The parent of the scopes' cgroups. */
    private readonly slice = '/sys/fs/cgroup/system.slice',
    socket = '/run/systemd/private',
  ) {
    kernel.sockets.listen(socket, (end) => this.serve(end));
  }

  cgroupOf(unit: string): string {
    return `${this.slice}/${unit}`;
  }

  private serve(end: SocketEnd): void {
    let bytes = new Uint8Array(0);
    let authenticated = false;
    end.onMessage = () => {
      const message = end.receive(1 << 20);
      if (typeof message === 'number') return;
      if (!authenticated) {
        authenticated = true;
        end.send('DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n');
        return;
      }
      bytes = Uint8Array.from([...bytes, ...message.data]);
      while (bytes.length >= 16 && bytes.length >= messageLength(bytes.subarray(0, 16))) {
        const length = messageLength(bytes.subarray(0, 16));
        const call = decodeMessage(bytes.slice(0, length));
        bytes = bytes.slice(length);
        if (call.type === CALL) this.called(end, call);
      }
    };
  }

  private called(end: SocketEnd, call: Message): void {
    const member = call.member ?? '';
    const names = call.body.filter((value) => typeof value === 'string');
    this.calls.push([member, ...names].join(' '));
    const times = (this.times.get(member) ?? 0) + 1;
    this.times.set(member, times);
    const instead = this.instead(member, times);
    const reply = (m: Partial<Message> & { readonly type: number }): void =>
      void end.send(encodeMessage({ serial: 1000, replySerial: call.serial, signature: '', body: [], ...m }));
    if (instead === 'silence') return;
    if (instead === 'hang up') end.drop();
    else if (instead) reply({ type: ERROR, error: instead.error, signature: 's', body: [instead.text ?? ''] });
    if (instead) return;
    const [first, , properties = []] = call.body as readonly [string, string, Value];
    const job = (): void => {
      const path = `/org/freedesktop/systemd1/job/${++this.jobs}`;
      reply({ type: REPLY, signature: 'o', body: [path] });
      const removed = { signature: 'uoss', body: [BigInt(this.jobs), path, first, this.result] };
      end.send(encodeMessage({ type: SIGNAL, serial: 1001, ...manager, member: 'JobRemoved', ...removed }));
    };
    const isUnit = this.units.has(first);
    const variant = (value: string) => ({ type: REPLY, signature: 'v', body: [{ signature: 's', value }] });
    if (member === 'StartTransientUnit') this.start(first, properties as readonly Value[]);
    if (member === 'SetUnitProperties') this.note(first, properties as readonly Value[]);
    if (member === 'StopUnit') this.units.delete(first);
    if (member === 'Get') reply(variant(this.property(names[1] ?? '')));
    else if (!isUnit && (member === 'StopUnit' || member === 'ResetFailedUnit')) reply(noUnit(first));
    else if (jobs.includes(member)) job();
    else if (member === 'ListUnitsByNames') reply(this.listed(first as unknown as readonly string[]));
    else reply({ type: REPLY });
  }

  private listed(names: readonly string[]) {
    const states = names.map((name) => {
      const state = this.services.get(name);
      const of = [name, '', state === undefined ? 'not-found' : 'loaded', state ?? 'inactive', 'dead', ''];
      return [...of, `/org/freedesktop/systemd1/unit/${name}`, 0n, '', '/'];
    });
    return { type: REPLY, signature: 'a(ssssssouso)', body: [states] };
  }

  private property(name: string): string {
    return name === 'Version' ? this.version : name === 'ControlGroup' ? '/user.slice/user@1000.service/' : '';
  }

  private start(unit: string, properties: readonly Value[]): void {
    this.units.set(unit, new Map());
    this.note(unit, properties);
    const cgroup = this.kernel.tree.directory(this.cgroupOf(unit));
    for (const pid of (this.units.get(unit)?.get('PIDs') ?? []) as readonly Value[]) {
      this.kernel.processes.get(Number(pid))?.cgroups.set(cgroup.fs, cgroup);
    }
  }

  /** Records properties, which D-Bus has as `a(sv)`. */
  private note(unit: string, properties: readonly Value[]): void {
    const known = this.units.get(unit) ?? new Map<string, Value>();
    this.units.set(unit, known);
    for (const property of properties) {
      const [name, { value }] = property as unknown as readonly [string, Variant];
      known.set(name, value);
    }
  }
}

const jobs = ['StartTransientUnit', 'StopUnit', 'RestartUnit', 'ReloadOrRestartUnit'];

const manager = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };

const noUnit = (unit: string) => ({
  type: ERROR,
  error: 'org.freedesktop.systemd1.NoSuchUnit',
  signature: 's',
  body: [`Unit ${unit} not loaded.`],
});
