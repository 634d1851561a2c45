/** `--pid`, `--net`, `--ipc`, `--uts`, `--userns` and `--cgroupns`: new, host, container:ID, a path, or a network. */
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
    if (option === 'net' && isNetwork(text)) {
      linux.namespaces!.push({ type });
      continue;
    }
    const path = pathOf(text, file, caller, lookups);
    if (path === undefined) {
      const networks = option === 'net' ? ', bridge, cni:NAME, pasta, slirp4netns' : '';
      throw refuse(option, text, `is not new, host, container:ID${networks} or the path of a namespace`);
    }
    if (path === '') throw refuse(option, text, 'names a container that does not run');
    linux.namespaces!.push(text === 'new' ? { type } : { type, path });
  }
  if (o.uts !== undefined && o.uts !== 'new') delete spec.hostname;
}

/** Whether a program of the host connects the network, by hooks. */
const isNetwork = (text: string): boolean => /^(bridge|pasta|slirp4netns|cni:.*)$/s.test(text);

/**
 * The hooks of `--net bridge`, `cni:NAME`, `cni:FILE`, `pasta` and `slirp4netns`: `runt network add` before the root is
 * switched, and `runt network del` when the container is removed, also after a create that failed.
 */
export function networkHooks(
  spec: Spec,
  { net, rootless }: SpecOptions,
  caller: SpecCaller,
  lookups: HostLookups,
  refuse: Refuse,
): void {
  if (net === undefined || !isNetwork(net)) return;
  const isCni = net === 'bridge' || net.startsWith('cni:');
  if (isCni && rootless === true) {
    throw refuse('net', net, 'needs root: an ordinary user has pasta and slirp4netns');
  }
  const named = net.slice('cni:'.length);
  if (net.startsWith('cni:') && named === '') throw refuse('net', net, 'has no NAME or FILE');
  const network = net.startsWith('cni:') && named.includes('/') ? `cni:${caller.absolute(named)}` : net;
  const path = lookups.program();
  if (path === undefined) throw refuse('net', net, 'needs the program runt in PATH: hooks execute it');
  spec.hooks = {
    ...spec.hooks,
    createRuntime: [{ path, args: ['runt', 'network', 'add', network] }, ...(spec.hooks?.createRuntime ?? [])],
    poststop: [...(spec.hooks?.poststop ?? []), { path, args: ['runt', 'network', 'del'] }],
  };
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
