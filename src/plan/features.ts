/**
 * The features document (runtime-spec features.md). Nothing is listed by hand: names are those of the schema and of the tables
 * that the compiler works with, and what it refuses when it is asked (ERR_UNSUPPORTED) is left out or `false`.
 */
import { names } from '../../build/gen/names.js';
import { mountOption, mountOptionNames } from '../spec/mount-options.js';
import { HOOKS } from '../spec/rules/hooks.js';
import type { Features, FeaturesLinux, Linux, NamespaceType, Process } from '../spec/types.js';
import { OCI_VERSION, OCI_VERSION_MIN } from '../spec/version.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { capabilityNames, namespaceFlags } from '../sys/linux.js';
import { commit, version } from '../sys/version.js';
import { annotationNames } from './annotations.js';
import { filterFlagNames, probeFlags } from './seccomp.js';
import { refuseUnsupported } from './unsupported.js';

/** What this version applies on a host that has it. What this host's kernel lacks is left out of `supportedFlags` alone. */
export function features(): Features {
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks: [...HOOKS],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: (Object.keys(namespaceFlags) as NamespaceType[])
        .filter((type) => isApplied({ namespaces: [{ type: 'mount' }, ...(type === 'mount' ? [] : [{ type }])] }))
        .sort(),
      capabilities: capabilityNames(),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: seccompFeatures(),
      apparmor: { enabled: isApplied({}, { apparmorProfile: 'x' }) },
      selinux: { enabled: isApplied({}, { selinuxLabel: 'x' }) && isApplied({ mountLabel: 'x' }) },
      intelRdt: rdtFeatures(),
      ...memoryPolicyFeatures(),
      mountExtensions: { idmap: { enabled: mountOption('idmap') !== undefined } },
      netDevices: { enabled: isApplied({ netDevices: { eth0: {} } }) },
    },
    potentiallyUnsafeConfigAnnotations: annotationNames(),
    annotations: {
      'io.github.seccomp.libseccomp.version': libseccompVersion(),
      'runt.commit': commit(),
      'runt.version': version(),
    },
  };
}

function isApplied(linux: Linux, process: Partial<Process> = {}): boolean {
  return isAccepted(() =>
    refuseUnsupported({
      ociVersion: OCI_VERSION,
      process: { cwd: '/', user: { uid: 0, gid: 0 }, ...process },
      linux: { namespaces: [{ type: 'mount' }], ...linux },
    }),
  );
}

function isAccepted(ask: () => unknown): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_UNSUPPORTED') return false;
    throw error;
  }
}

function rdtFeatures(): NonNullable<FeaturesLinux['intelRdt']> {
  const enabled = isApplied({ intelRdt: { closID: 'x' } });
  if (!enabled) return { enabled };
  return {
    enabled,
    schemata: isApplied({ intelRdt: { schemata: ['L3:0=f'] } }),
    monitoring: isApplied({ intelRdt: { enableMonitoring: true } }),
  };
}

function memoryPolicyFeatures(): Pick<FeaturesLinux, 'memoryPolicy'> {
  const modes = names.memoryModes.filter((mode) => isApplied({ memoryPolicy: { mode, nodes: '0' } })).sort();
  const flags = names.memoryFlags.filter((f) =>
    isApplied({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: [f] } }),
  );
  return modes.length === 0 ? {} : { memoryPolicy: { modes, flags: flags.sort() } };
}

function seccompFeatures(): NonNullable<FeaturesLinux['seccomp']> {
  const known = filterFlagNames().sort();
  const bare = (name: string, prefix: string): string => name.slice(prefix.length);
  return {
    enabled: true,
    actions: names.actions.filter((a) => compiles('rule', bare(a, 'SCMP_ACT_'), '0 : getpid')).sort(),
    operators: names.operators.filter((o) => compiles('rule ERRNO 1 0', bare(o, 'SCMP_CMP_'), '0 0 : getpid')).sort(),
    archs: names.archs.filter((a) => compiles('arch', bare(a, 'SCMP_ARCH_').toLowerCase())).sort(),
    knownFlags: known,
    supportedFlags: known.filter((name) => native.seccompFlags(probeFlags(name)) === 0),
  };
}

/** Whether libseccomp takes a line of a profile. An architecture of the other endianness (EDOM) it knows; no kernel runs both. */
function compiles(...words: string[]): boolean {
  const profile = host.encode(`default ALLOW 0\0${words.join(' ')}\0`);
  const r = native.compileSeccomp(profile, new Uint8Array(4096));
  return r >= 0 || r === -E.EDOM;
}

function libseccompVersion(): string {
  const data = new Uint8Array(128);
  return host.decode(data, Math.max(0, native.seccompVersion(data))).split(' ')[0]!;
}
