/** `HOST[:CONTAINER[:rwm]]` of `--device`: a node in the container, and the right to use it. */
import type { Spec } from '../config-types.js';
import type { HostDevice, HostLookups } from './lookups.js';
import type { SpecCaller } from './option-types.js';
import type { Refuse } from './refusal.js';

/** Properties of the container: it has a user namespace; an ordinary user makes it. */
export interface DeviceOwner {
  readonly mapped: boolean;
  readonly rootless: boolean;
}

export function deviceOptions(
  spec: Spec,
  values: readonly string[],
  caller: SpecCaller,
  owner: DeviceOwner,
  lookups: HostLookups,
  refuse: Refuse,
): void {
  for (const text of values) {
    const { from, to, access } = read(text, refuse);
    const source = caller.absolute(from);
    const devices = lookups.devices(source);
    if (devices === undefined) throw refuse('device', text, 'does not exist on the host');
    if (devices.length === 0) throw refuse('device', text, 'is not a device, nor a directory with devices');
    if (owner.rootless && access !== 'rwm') {
      throw refuse('device', text, 'has an access other than rwm: only root of the host can restrict it');
    }
    for (const device of devices) {
      const path = (to ?? source) + device.path.slice(source.length);
      addDevice(spec, device, path, access, owner, lookups);
    }
  }
}

/** In a user namespace no node can be made, so the host's is bound. */
export function addDevice(
  spec: Spec,
  device: HostDevice,
  path: string,
  access: string,
  owner: DeviceOwner,
  lookups: HostLookups,
): void {
  const linux = spec.linux!;
  const { type, major, minor, mode, uid, gid } = device;
  if (owner.mapped || lookups.bindsDevices()) {
    const options = ['bind', 'nosuid', 'noexec', 'rprivate'];
    spec.mounts!.push({ destination: path, type: 'bind', source: device.path, options });
  } else {
    linux.devices = [...(linux.devices ?? []), { path, type, major, minor, fileMode: mode, uid, gid }];
  }
  if (owner.rootless) return;
  const rules = linux.resources?.devices ?? [];
  linux.resources = { ...linux.resources, devices: [...rules, { allow: true, type, major, minor, access }] };
}

function read(text: string, refuse: Refuse): { from: string; to?: string; access: string } {
  const [from, second, third, more] = text.split(':');
  const isAccess = (word: string | undefined): word is string => word !== undefined && /^[rwm]{1,3}$/.test(word);
  if (!from || second === '' || more !== undefined) throw refuse('device', text, 'is not HOST[:CONTAINER[:rwm]]');
  if (third === undefined && isAccess(second)) return { from, access: second };
  if (second !== undefined && !second.startsWith('/')) {
    throw refuse('device', text, `has a path in the container that is not absolute: "${second}"`);
  }
  if (third !== undefined && !isAccess(third))
    throw refuse('device', text, `has an access that is not of r, w and m: "${third}"`);
  return { from, ...(second !== undefined && { to: second }), access: third ?? 'rwm' };
}
