/** The config.json of `spec`: a shell in a read-only root with few capabilities, as `runc spec` has it. */
import type { Mount, Namespace, Spec } from './config-types.js';
import { OCI_VERSION } from './oci-version.js';

interface DefaultOptions {
  /** For an ordinary user: has a user namespace, and needs no root. */
  readonly rootless: boolean;
  /** Effective ids of the caller, mapped to root inside if rootless. */
  readonly uid: number;
  readonly gid: number;
  /** Whether the host has cgroup v2 alone: the container then has a cgroup namespace, as with runc and crun. */
  readonly cgroupV2?: boolean;
}

/** A new default config. */
export function defaultSpec({ rootless, uid, gid, cgroupV2 = false }: DefaultOptions): Spec {
  const capabilities = (): string[] => ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: capabilities(),
        effective: capabilities(),
        permitted: capabilities(),
        ambient: capabilities(),
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'runt',
    mounts: mounts(rootless),
    linux: {
      ...(rootless
        ? {
            uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
          }
        : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: namespaces(rootless, cgroupV2),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

function mounts(rootless: boolean): Mount[] {
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    // Group 5 (tty) is not mapped in an ordinary user's user namespace.
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: rootless ? pts : [...pts, 'gid=5'] },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    // A new sysfs needs a network namespace of the same user namespace, which the rootless config does not create.
    rootless
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
    },
  ];
}

function namespaces(rootless: boolean, cgroupV2: boolean): Namespace[] {
  const types: Namespace['type'][] = ['pid', ...(rootless ? [] : (['network'] as const)), 'ipc', 'uts', 'mount'];
  if (cgroupV2) types.push('cgroup');
  if (rootless) types.push('user');
  return types.map((type) => ({ type }));
}
