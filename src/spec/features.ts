/** The features document (runtime-spec features.md), made from the tables that the compiler itself works with. */
import { capabilityNames, namespaceFlags } from '../sys/linux.js';
import { mountOption, mountOptionNames } from './mount-options.js';
import type { Features } from './types.js';
import { OCI_VERSION, OCI_VERSION_MIN } from './version.js';

/** What this version applies; what it refuses by name is left out or `false`. */
export function features(): Features {
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks: [],
    mountOptions: mountOptionNames().filter(applied),
    linux: {
      // Clock offsets of a time namespace come later.
      namespaces: Object.keys(namespaceFlags)
        .filter((type) => type !== 'time')
        .sort(),
      capabilities: capabilityNames(),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: { enabled: false },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
      netDevices: { enabled: false },
    },
  };
}

/** Does the compiler apply this mount option (plan/mounts.ts)? Flags that fsconfig(2) has no name for it refuses. */
function applied(name: string): boolean {
  const option = mountOption(name)!;
  switch (option.kind) {
    case 'superblock':
      return option.key !== undefined;
    case 'idmap':
    case 'tmpcopyup':
    case 'remount':
      return false;
    default:
      return true;
  }
}
