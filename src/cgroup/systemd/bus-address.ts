/** Socket addresses of systemd: the system manager, or a user's manager (systemd --user). */

import { callerIds } from '../../sys/caller-ids.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

export interface Address {
  /** Path of the socket. */
  readonly path: string;
  /** Whether a D-Bus daemon is at the other end; systemd's own socket has neither names nor subscriptions. */
  readonly daemon: boolean;
}

/**
 * The system bus first, as for every other client of systemd: its policy applies and its log shows the call. systemd's
 * own socket, for root only, serves hosts without a D-Bus daemon.
 */
export const systemAddresses: readonly Address[] = [
  { path: '/run/dbus/system_bus_socket', daemon: true },
  { path: '/run/systemd/private', daemon: false },
];

/**
 * The user's session: the bus that the environment names, the one in the runtime directory, then systemd's own socket.
 */
export function userAddresses(env: Readonly<Record<string, string | undefined>> = host.env): Address[] {
  const named = parseAddresses(env.DBUS_SESSION_BUS_ADDRESS ?? '');
  const directory = env.XDG_RUNTIME_DIR || `/run/user/${hostUser()}`;
  const paths = [...named, `${directory}/bus`];
  return [
    ...[...new Set(paths)].map((path) => ({ path, daemon: true })),
    { path: `${directory}/systemd/private`, daemon: false },
  ];
}

/**
 * The paths of a list such as `unix:path=/run/user/1000/bus,guid=…;tcp:…` (dbus-specification, "Server Addresses").
 * Skips other kinds of address: systemd only offers paths.
 */
export function parseAddresses(list: string): string[] {
  const paths: string[] = [];
  for (const address of list.split(';')) {
    if (!address.startsWith('unix:')) continue;
    const path = address
      .slice('unix:'.length)
      .split(',')
      .find((pair) => pair.startsWith('path=/'));
    if (path) paths.push(percentDecoded(path.slice('path='.length)));
  }
  return paths;
}

/** Decodes `%2f` and the like to bytes: a character can be several of them. */
function percentDecoded(text: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = /^%([0-9a-fA-F]{2})/.exec(text.slice(at, at + 3))?.[1];
    if (hex !== undefined) at += 2;
    for (const byte of hex === undefined ? host.encode(text[at]!) : [Number.parseInt(hex, 16)]) bytes.push(byte);
  }
  return host.decodeRaw(new Uint8Array(bytes), bytes.length);
}

/**
 * Whether the caller owns the system manager: the machine's, or in a user namespace one that runs as its root. Inside
 * an engine's user namespace, the machine's manager belongs to another user.
 */
export function ownsSystemManager(): boolean {
  if (callerIds().uid !== 0) return false;
  const data = new Uint8Array(64);
  return native.stat(AT_FDCWD, '/run/systemd', 0, data) >= 0 && new DataView(data.buffer).getBigInt64(8, true) === 0n;
}

/**
 * The caller's uid outside its user namespace, as its session has it: also in an engine's namespace, where the caller
 * is root.
 */
function hostUser(): number {
  const uid = callerIds().uid;
  const data = new Uint8Array(16384);
  const n = native.readFile(AT_FDCWD, '/proc/self/uid_map', data);
  for (const line of n > 0 ? host.decode(data, n).split('\n') : []) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    if (uid >= inside && uid < inside + count) return outside + uid - inside;
  }
  return uid;
}
