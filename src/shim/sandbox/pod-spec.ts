/** The config of a pod's first process, from CRI's description of the pod. Pure. */
import type { IdMapping, Mount, Namespace, Seccomp, Spec } from '../../spec/config-types.js';
import { OCI_VERSION } from '../../spec/oci-version.js';
import { Code, StatusError } from '../transport/status-code.js';
import { pod } from './pod-protos.js';

/** What the config depends on beside the description. */
export interface PodHost {
  readonly id: string;
  /** The pod's network namespace; empty for the host's. */
  readonly netns: string;
  /** Filter of the first process; absent for none. */
  readonly seccomp?: Seccomp;
  /** SELinux labels of the pod; absent if SELinux is off. */
  readonly labels?: { readonly process: string; readonly mount: string };
  readonly oomScoreAdj: number;
}

/** The only file in the root of a pod's first process. */
export const pausePath = '/pause';

/** Score of the first process: as for Kubernetes' other infrastructure, it is nearly never the OOM killer's choice. */
export const podOomScore = -998;

const { NODE, POD, CONTAINER, TARGET } = pod.NamespaceMode;

/** The namespaces of a pod, with NODE for the host's. @throws StatusError INVALID_ARGUMENT */
export function namespaceModes(config: pod.PodSandboxConfig): {
  readonly network: pod.NamespaceMode;
  readonly pid: pod.NamespaceMode;
  readonly ipc: pod.NamespaceMode;
  readonly user: pod.NamespaceMode;
} {
  const { usernsOptions, ...options } = config.linux?.securityContext?.namespaceOptions ?? {};
  const [network, pid, ipc] = [options.network ?? POD, options.pid ?? POD, options.ipc ?? POD];
  const user = usernsOptions ? (usernsOptions.mode ?? POD) : NODE;
  for (const [name, mode, allowed] of [
    ['network', network, [POD, NODE]],
    ['pid', pid, [POD, CONTAINER, NODE, TARGET]],
    ['ipc', ipc, [POD, NODE]],
    ['userns_options', user, [POD, NODE]],
  ] as const) {
    if (!(allowed as readonly number[]).includes(mode))
      throw new StatusError(Code.INVALID_ARGUMENT, `the pod's mode ${mode} of ${name} is not supported`);
  }
  return { network, pid, ipc, user };
}

/** @throws StatusError INVALID_ARGUMENT */
export function podSpec(config: pod.PodSandboxConfig, host: PodHost): Spec {
  const modes = namespaceModes(config);
  const { linux } = config;
  const { runAsUser, runAsGroup, supplementalGroups, privileged } = linux?.securityContext ?? {};
  const additionalGids = (supplementalGroups ?? []).map(Number);
  const maps = modes.user === POD ? idMaps(config) : undefined;
  const labels = privileged ? undefined : host.labels;
  if (runAsGroup && !runAsUser)
    throw new StatusError(Code.INVALID_ARGUMENT, 'the pod has run_as_group without run_as_user');
  return {
    ociVersion: OCI_VERSION,
    process: {
      user: {
        uid: numberOf(runAsUser),
        gid: numberOf(runAsGroup),
        ...(additionalGids.length > 0 && { additionalGids }),
      },
      args: [pausePath],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: host.oomScoreAdj,
      ...(labels && { selinuxLabel: labels.process }),
    },
    root: { path: 'rootfs', readonly: true },
    // Without a UTS namespace of its own, the pod has the host's name.
    ...(config.hostname && modes.network !== NODE && { hostname: config.hostname }),
    mounts: mounts(modes.pid === NODE),
    annotations: annotations(config, host.id),
    linux: {
      namespaces: namespaces(modes, host),
      ...maps,
      ...(linux?.cgroupParent && { cgroupsPath: cgroupsPath(linux.cgroupParent, host.id) }),
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
      sysctl: sysctls(config, modes.network === NODE, maps !== undefined),
      ...(host.seccomp && { seccomp: host.seccomp }),
      ...(labels && { mountLabel: labels.mount }),
    },
  };
}

const numberOf = (wrapped: pod.Int64Value.$Properties | null | undefined): number => Number(wrapped?.value ?? 0);

/** A new procfs needs a pid namespace of its own user namespace. */
function mounts(hostPids: boolean): Mount[] {
  const options = ['nosuid', 'noexec', 'nodev'];
  return [
    hostPids
      ? { destination: '/proc', type: 'bind', source: '/proc', options: ['rbind', ...options] }
      : { destination: '/proc', type: 'proc', source: 'proc', options },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=64k'] },
  ];
}

function namespaces(modes: ReturnType<typeof namespaceModes>, host: PodHost): Namespace[] {
  return [
    { type: 'mount' },
    ...(modes.pid === NODE ? [] : [{ type: 'pid' } as const]),
    ...(modes.ipc === NODE ? [] : [{ type: 'ipc' } as const]),
    ...(modes.network === NODE ? [] : [{ type: 'uts' } as const, { type: 'network', path: host.netns } as const]),
    ...(modes.user === NODE ? [] : [{ type: 'user' } as const]),
  ];
}

function idMaps(config: pod.PodSandboxConfig): { uidMappings: IdMapping[]; gidMappings: IdMapping[] } {
  const { usernsOptions } = config.linux?.securityContext?.namespaceOptions ?? {};
  const [uids, gids] = [usernsOptions?.uids ?? [], usernsOptions?.gids ?? []];
  if (uids.length === 0 || gids.length === 0)
    throw new StatusError(Code.INVALID_ARGUMENT, "the pod's user namespace needs mappings of uids and of gids");
  const map = (m: pod.IDMapping.$Properties): IdMapping => ({
    containerID: m.containerId ?? 0,
    hostID: m.hostId ?? 0,
    size: m.length ?? 0,
  });
  return { uidMappings: uids.map(map), gidMappings: gids.map(map) };
}

/** The form of systemd's driver if the parent is a slice. */
export function cgroupsPath(parent: string, id: string): string {
  const base = parent.slice(parent.replace(/\/+$/, '').lastIndexOf('/') + 1);
  return base.endsWith('.slice') ? `${base}:cri-containerd:${id}` : `${parent.replace(/\/+$/, '')}/${id}`;
}

/** Those of the pod, and containerd's defaults: every user of a container may bind low ports and send pings. */
function sysctls(config: pod.PodSandboxConfig, hostNetwork: boolean, userNamespace: boolean): Record<string, string> {
  return {
    ...(!hostNetwork && { 'net.ipv4.ip_unprivileged_port_start': '0' }),
    // The range is one of the host's ids: a user namespace does not have them all.
    ...(!hostNetwork && !userNamespace && { 'net.ipv4.ping_group_range': '0 2147483647' }),
    ...config.linux?.sysctls,
  };
}

/** What plugins of NRI and monitoring read. */
function annotations(config: pod.PodSandboxConfig, id: string): Record<string, string> {
  const { metadata, logDirectory = '', linux } = config;
  const name = 'io.kubernetes.cri.';
  const { resources } = linux ?? {};
  return {
    [`${name}container-type`]: 'sandbox',
    [`${name}sandbox-id`]: id,
    [`${name}sandbox-name`]: metadata?.name ?? '',
    [`${name}sandbox-namespace`]: metadata?.namespace ?? '',
    [`${name}sandbox-uid`]: metadata?.uid ?? '',
    [`${name}sandbox-log-directory`]: logDirectory,
    ...(resources && {
      [`${name}sandbox-cpu-period`]: String(resources.cpuPeriod ?? 0),
      [`${name}sandbox-cpu-quota`]: String(resources.cpuQuota ?? 0),
      [`${name}sandbox-cpu-shares`]: String(resources.cpuShares ?? 0),
      [`${name}sandbox-memory`]: String(resources.memoryLimitInBytes ?? 0),
    }),
  };
}
