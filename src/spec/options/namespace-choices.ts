/** `--pid`, `--net`, `--ipc`, `--uts`, `--userns` and `--cgroupns`: new, host, container:ID or a path. */
import type { NamespaceType, Spec } from '../config-types.js';
import type { HostLookups } from './lookups.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

type Choice = 'pid' | 'net' | 'ipc' | 'uts' | 'userns' | 'cgroupns';

/** Option → type in config.json, and the file in /proc/PID/ns. */
const choices: { readonly [N in Choice]: readonly [type: NamespaceType, file: string] } = {
  pid: ['pid', 'pid'],
  net: ['network', 'net'],
  ipc: ['ipc', 'ipc'],
  uts: ['uts', 'uts'],
  userns: ['user', 'user'],
  cgroupns: ['cgroup', 'cgroup'],
};

/** Sets the namespaces. Id mappings and mounts that depend on them follow. */
export function namespaceChoices(
  spec: Spec,
  o: SpecOptions,
  caller: SpecCaller,
  lookups: HostLookups,
  refuse: Refuse,
): void {
  const linux = spec.linux!;
  if (o.hostNetwork) {
    if (o.net !== undefined && o.net !== 'host') throw refuse('net', o.net, `excludes ${caller.name('hostNetwork')}`);
    remove(spec, 'network');
  }
  for (const [option, [type, file]] of Object.entries(choices) as [Choice, (typeof choices)[Choice]][]) {
    const text = o[option];
    if (text === undefined) continue;
    const mapped = o.rootless === true ? 'rootless' : o.uidMap?.length ? 'uidMap' : undefined;
    if (option === 'userns' && text !== 'new' && mapped) {
      throw refuse(option, text, `excludes ${caller.name(mapped)}, which makes a new one`);
    }
    if (option === 'userns' && text === 'new' && !mapped) {
      throw refuse(option, text, `needs ${caller.name('uidMap')}: a user namespace has ids`);
    }
    remove(spec, type);
    if (text === 'host') continue;
    const path = pathOf(text, file, caller, lookups);
    if (path === undefined) {
      throw refuse(option, text, 'is not new, host, container:ID or the path of a namespace');
    }
    if (path === '') throw refuse(option, text, 'names a container that does not run');
    linux.namespaces!.push(text === 'new' ? { type } : { type, path });
  }
  if (o.uts !== undefined && o.uts !== 'new') delete spec.hostname;
}

function remove(spec: Spec, removed: NamespaceType): void {
  spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== removed);
}

/** The path of a namespace that is joined; '' for a container that does not run. */
function pathOf(text: string, file: string, caller: SpecCaller, lookups: HostLookups): string | undefined {
  if (text === 'new') return text;
  if (text.startsWith('container:')) {
    const pid = lookups.containerPid(text.slice('container:'.length));
    return pid === 0 ? '' : `/proc/${pid}/ns/${file}`;
  }
  return text.includes('/') ? caller.absolute(text) : undefined;
}
