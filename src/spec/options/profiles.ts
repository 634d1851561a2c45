/** What an engine gives a container: `--profile`. */
import type { Spec } from '../config-types.js';
import type { HostLookups } from './lookups.js';

/** Effect of a profile on the template. Capabilities without `CAP_`. */
interface Profile {
  readonly capabilities: string;
  readonly noNewPrivileges: boolean;
  readonly masked: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** Type without `RLIMIT_` → soft and hard limit. */
  readonly limits: Readonly<Record<string, readonly [soft: number, hard: number]>>;
  /** Limit of processes in the cgroup, where the container has one. */
  readonly pids?: number;
  /** Sysctls of a new network namespace. */
  readonly sysctl?: Readonly<Record<string, string>>;
  /** Whether `--cap-add` has an effect for a user other than root too (ambient capabilities). */
  readonly ambient: boolean;
}

const common = 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT';
const writable = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const masked = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** systemd's limits for services, which dockerd passes on; programs that can use more raise the soft one. */
const services = { NOFILE: [1024, 524288] } as const;

const profiles = {
  // Docker 28, dockerd under systemd.
  docker: {
    capabilities: `${common} AUDIT_WRITE MKNOD NET_RAW`,
    noNewPrivileges: false,
    masked,
    readonlyPaths: writable,
    limits: services,
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
    ambient: false,
  },
  // Podman 5 with the containers.conf of its package.
  podman: {
    capabilities: common,
    noNewPrivileges: false,
    masked: [
      '/proc/acpi',
      '/proc/interrupts',
      '/proc/kcore',
      '/proc/keys',
      '/proc/latency_stats',
      '/proc/sched_debug',
      '/proc/scsi',
      '/proc/timer_list',
      '/proc/timer_stats',
      '/sys/dev/block',
      '/sys/devices/virtual/powercap',
      '/sys/firmware',
      '/sys/fs/selinux',
    ],
    readonlyPaths: ['/proc/asound', ...writable],
    limits: { NOFILE: [1048576, 1048576], NPROC: [1048576, 1048576] },
    pids: 2048,
    sysctl: { 'net.ipv4.ping_group_range': '0 0' },
    ambient: true,
  },
  // As Kubernetes' "restricted" pods.
  unprivileged: {
    capabilities: '',
    noNewPrivileges: true,
    masked,
    readonlyPaths: writable,
    limits: services,
    ambient: true,
  },
  // For engines and package builds inside: they make namespaces and mounts.
  builder: {
    capabilities: `${common} AUDIT_WRITE MKNOD NET_ADMIN NET_RAW SYS_ADMIN`,
    noNewPrivileges: false,
    masked,
    readonlyPaths: writable,
    limits: { NOFILE: [1048576, 1048576] },
    ambient: true,
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof profiles;

export const profileNames = Object.keys(profiles);

export const profileOf = (name: ProfileName): Profile => profiles[name];

/** Applies all of a profile but its capabilities and its seccomp profile, which other options change. */
export function applyProfile(
  name: ProfileName,
  spec: Spec,
  { mapped, rootless }: { readonly mapped: boolean; readonly rootless: boolean },
  lookups: HostLookups,
): void {
  const profile = profileOf(name);
  const { process, linux } = spec as Required<Spec>;
  process.noNewPrivileges = profile.noNewPrivileges;
  process.rlimits = Object.entries(profile.limits).map(([key, [soft, hard]]) => {
    const type = `RLIMIT_${key}`;
    const most = lookups.hardLimit(type);
    const fit = (n: number) => (most !== undefined && most < n ? most : n);
    return { type, soft: fit(soft), hard: fit(hard) };
  });
  // The kernel lets root of a user namespace mount a new proc only where nothing of /proc is covered
  // (mount_too_revealing in fs/namespace.c), and there it may not write into what is read-only here.
  const bare = name === 'builder' && mapped;
  linux.maskedPaths = bare ? [] : [...profile.masked];
  linux.readonlyPaths = bare ? [] : [...profile.readonlyPaths];
  if (profile.pids !== undefined && !rootless) linux.resources = { ...linux.resources, pids: { limit: profile.pids } };
  const network = linux.namespaces!.find(({ type }) => type === 'network');
  if (network && network.path === undefined && profile.sysctl) {
    const { 'net.ipv4.ping_group_range': range, ...rest } = profile.sysctl;
    // The groups of the range must be mapped.
    const fits = !mapped || range === '0 0';
    linux.sysctl = {
      ...linux.sysctl,
      ...rest,
      ...(range !== undefined && fits && { 'net.ipv4.ping_group_range': range }),
    };
  }
}
