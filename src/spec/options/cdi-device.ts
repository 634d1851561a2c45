/** `--device vendor.com/class=name`: a device of the Container Device Interface, from the spec files of its vendor. */

import type { HookName, Spec } from '../config-types.js';
import { isObject } from '../json/is-object.js';
import { withVariables } from '../variables.js';
import { addDevice, type DeviceOwner } from './device-option.js';
import type { HostLookups } from './lookups.js';
import type { Refuse } from './refusal.js';

/** Later directories go first (CDI, "Specification files"). */
export const cdiDirectories = ['/etc/cdi', '/var/run/cdi'];

type Members = { readonly [key: string]: unknown };
const objects = (value: unknown): Members[] => (Array.isArray(value) ? value.filter(isObject) : []);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

/** Whether a value of `--device` is a name of CDI, not a path. */
export const isCdiName = (text: string): boolean => /^[A-Za-z][\w.-]*\/[A-Za-z][\w.-]*=[A-Za-z0-9][\w.:-]*$/.test(text);

export function cdiDevice(
  spec: Spec,
  text: string,
  directories: readonly string[],
  owner: DeviceOwner,
  lookups: HostLookups,
  refuse: Refuse,
): void {
  const [kind, name] = text.split('=');
  const unread: string[] = [];
  for (const directory of [...directories].reverse()) {
    const found: { path: string; edits: Members[] }[] = [];
    for (const path of lookups.names(directory).map((file) => `${directory}/${file}`)) {
      if (/\.ya?ml$/.test(path)) unread.push(path);
      if (!path.endsWith('.json')) continue;
      const file = parsed(lookups.text(path) ?? '{}');
      if (!file) throw refuse('device', text, `cannot be looked up: ${path} is not a JSON object`);
      const device = file.kind === kind && objects(file.devices).find((item) => item.name === name);
      if (device) found.push({ path, edits: [file.containerEdits, device.containerEdits].filter(isObject) });
    }
    if (found.length > 1) throw refuse('device', text, `is in ${found[0]!.path} and in ${found[1]!.path}`);
    if (found.length === 0) continue;
    for (const edits of found[0]!.edits) {
      const problem = apply(spec, edits, owner, lookups);
      if (problem !== undefined) throw refuse('device', text, `${problem} in ${found[0]!.path}`);
    }
    return;
  }
  const yaml = unread.length > 0 ? `; runt reads no YAML: convert ${unread.join(', ')} to JSON` : '';
  throw refuse('device', text, `is in no JSON file of ${directories.join(', ')}${yaml}`);
}

function parsed(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const applied = ['env', 'deviceNodes', 'mounts', 'hooks', 'additionalGids', 'additionalGIDs'];

/** Applies containerEdits; what is wrong with them, as a clause. The rules of config.json check the rest. */
function apply(spec: Spec, edits: Members, owner: DeviceOwner, lookups: HostLookups): string | undefined {
  const unknown = Object.keys(edits).find((key) => !applied.includes(key));
  if (unknown !== undefined) return `has ${unknown}, which runt does not apply,`;
  const process = spec.process!;
  process.env = withVariables(process.env!, texts(edits.env));
  for (const node of objects(edits.deviceNodes)) {
    const path = String(node.path);
    const source = typeof node.hostPath === 'string' ? node.hostPath : path;
    const [device, more] = lookups.devices(source) ?? [];
    if (!device || more || device.path !== source) return `has the device node ${source}, which the host has not,`;
    const mode = typeof node.fileMode === 'number' ? node.fileMode : device.mode;
    const uid = typeof node.uid === 'number' ? node.uid : device.uid;
    const gid = typeof node.gid === 'number' ? node.gid : device.gid;
    const access = typeof node.permissions === 'string' && node.permissions !== '' ? node.permissions : 'rwm';
    addDevice(spec, { ...device, mode, uid, gid }, path, access, owner, lookups);
  }
  for (const { hostPath, containerPath, options, type } of objects(edits.mounts)) {
    const list = texts(options);
    const bind = type === undefined || type === '' || type === 'bind' || type === 'none';
    spec.mounts!.push({
      destination: String(containerPath),
      type: bind ? 'bind' : String(type),
      source: String(hostPath),
      options: bind && !list.some((option) => /^r?bind$/.test(option)) ? ['rbind', ...list] : list,
    });
  }
  for (const { hookName, path, args, env, timeout } of objects(edits.hooks)) {
    const point = String(hookName) as HookName;
    const hook = {
      path: String(path),
      ...(Array.isArray(args) && { args: texts(args) }),
      ...(Array.isArray(env) && { env: texts(env) }),
      ...(typeof timeout === 'number' && { timeout }),
    };
    spec.hooks = { ...spec.hooks, [point]: [...(spec.hooks?.[point] ?? []), hook] };
  }
  const groups = [edits.additionalGids, edits.additionalGIDs].flatMap((list) => (Array.isArray(list) ? list : []));
  if (groups.length > 0) process.user.additionalGids = [...(process.user.additionalGids ?? []), ...groups];
  return undefined;
}
