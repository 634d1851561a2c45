/** The features document (runtime-spec features.md), made from the tables that the compiler itself works with. */
import { capabilityNames, namespaceFlags } from '../sys/linux.js';
import { mountOption, mountOptionNames } from './mount-options.js';
import { HOOKS } from './rules/hooks.js';
import type { Features } from './types.js';
import { OCI_VERSION, OCI_VERSION_MIN } from './version.js';

/** What this version applies; what it refuses by name is left out or `false`. */
export function features(): Features {
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks: [...HOOKS],
    mountOptions: mountOptionNames().filter(applied),
    linux: {
      // Clock offsets of a time namespace come later.
      namespaces: Object.keys(namespaceFlags)
        .filter((type) => type !== 'time')
        .sort(),
      capabilities: capabilityNames(),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: seccompFeatures(),
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
      netDevices: { enabled: false },
    },
  };
}

/** What profiles may hold; the architectures are those of libseccomp, whose filters tell them apart. */
function seccompFeatures() {
  const list = (prefix: string, names: string): string[] => names.split(' ').map((name) => prefix + name);
  const flags = list('SECCOMP_FILTER_FLAG_', 'TSYNC SPEC_ALLOW LOG WAIT_KILLABLE_RECV');
  return {
    enabled: true,
    actions: list('SCMP_ACT_', 'ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP'),
    operators: list('SCMP_CMP_', 'EQ GE GT LE LT MASKED_EQ NE'),
    archs: list(
      'SCMP_ARCH_',
      'AARCH64 ARM MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X X32 X86 X86_64',
    ),
    knownFlags: flags,
    supportedFlags: flags,
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
