/** Features document (runtime-spec features.md), derived from the compiler: a supported value changes the plan. */

import { names } from '../../build/gen/names.js';
import type { CgroupFacts } from '../cgroup/cgroup-facts.js';
import type { Address } from '../cgroup/systemd/bus-address.js';
import { annotationNames } from '../spec/annotation-names.js';
import type {
  Features,
  FeaturesLinux,
  IdMapping,
  Linux,
  Mount,
  NamespaceType,
  Process,
  Seccomp,
  Spec,
} from '../spec/config-types.js';
import { toJson } from '../spec/json/exact-json.js';
import { mountOptionNames } from '../spec/mount-options.js';
import { OCI_VERSION, OCI_VERSION_MIN } from '../spec/oci-version.js';
import { HOOKS } from '../spec/rules/hook-rules.js';
import { RuntError } from '../sys/error.js';
import { capabilityNames } from '../sys/kernel-names.js';
import { namespaceFlags } from '../sys/linux.js';
import { commit, version } from '../sys/runt-version.js';
import { canCompile, knowsFilterFlags, libseccompVersion } from '../sys/seccomp/seccomp-support.js';
import { scopes } from './cgroup/systemd-scope.js';
import { compile } from './compile.js';
import type { SystemdScope } from './host-facts.js';
import { cgroupV1, cgroupV2, hostWith, options } from './ideal-hosts.js';
import { filterFlagNames, probeFlags, seccompProfile } from './seccomp/seccomp-compile.js';

/**
 * The features of this version, on a host that supports them all. Names come from the schema and the compiler's tables.
 * Only `supportedFlags` leaves out flags that this host's kernel lacks.
 */
export function features(): Features {
  // A caller may change what it gets.
  const { hooks, mountOptions, linux }: CompiledFeatures = JSON.parse(JSON.stringify(compiledFeatures()));
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks,
    mountOptions,
    linux: { ...linux, seccomp: seccompFeatures() },
    potentiallyUnsafeConfigAnnotations: annotationNames(),
    annotations: {
      'io.github.seccomp.libseccomp.version': libseccompVersion(),
      'runt.commit': commit(),
      'runt.version': version(),
    },
  };
}

type CompiledFeatures = Required<Pick<Features, 'hooks' | 'mountOptions' | 'linux'>>;
let compiled: CompiledFeatures | undefined;

/** What some hundred plans tell: the static binary holds it (src/entry/snapshot-features.ts). */
export function compiledFeatures(): CompiledFeatures {
  compiled ??= {
    hooks: HOOKS.filter((point) => isApplied({ hooks: { [point]: [{ path: '/bin/true' }] } })),
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: (Object.keys(namespaceFlags) as NamespaceType[])
        .filter((type) =>
          type === 'mount'
            ? isApplied({ linux: base.linux as Linux }, { ...base, linux: {} })
            : isLinuxApplied({ namespaces: [{ type: 'mount' }, { type }] }),
        )
        .sort(),
      capabilities: capabilityNames().filter((name) =>
        isApplied({ process: { ...process, capabilities: { bounding: [name] } } }),
      ),
      cgroup: cgroupFeatures(),
      // Its place in the document.
      seccomp: {},
      apparmor: { enabled: isApplied({ process: { ...process, apparmorProfile: 'x' } }) },
      selinux: {
        enabled:
          isApplied({ process: { ...process, selinuxLabel: 'x' } }) &&
          isApplied({ linux: { mountLabel: 'x', maskedPaths: ['/x'] } }, maskedBase),
      },
      intelRdt: rdtFeatures(),
      ...memoryPolicyFeatures(),
      mountExtensions: { idmap: { enabled: isApplied({ mounts: [{ ...bind, ...mappings }] }, bindBase) } },
      netDevices: { enabled: isLinuxApplied({ netDevices: { eth0: {} } }) },
    },
  };
  return compiled;
}

const process: Process = { cwd: '/', user: { uid: 0, gid: 0 }, args: ['x'] };
/** A config with next to nothing in it. */
const base: Spec = {
  ociVersion: OCI_VERSION,
  root: { path: 'rootfs' },
  process,
  linux: { namespaces: [{ type: 'mount' }] },
};
const maskedBase: Spec = { ...base, linux: { ...base.linux, maskedPaths: ['/x'] } };
const bind: Mount = { destination: '/x', source: '/x', type: 'bind', options: ['bind'] };
const bindBase: Spec = { ...base, mounts: [bind] };
const ids: IdMapping[] = [{ containerID: 0, hostID: 1000, size: 1 }];
const mappings = { uidMappings: ids, gidMappings: ids };

/** Host for which a config is compiled; by default cgroup v2 without systemd. */
interface FeatureHost {
  readonly cgroup?: CgroupFacts;
  readonly systemd?: SystemdScope;
}

/**
 * The plan of a config on an ideal host, as text; undefined if the compiler refuses it. Without config pointers, which
 * have no effect.
 */
function planOf(spec: Spec, { cgroup = cgroupV2, systemd }: FeatureHost): string | undefined {
  try {
    const { plan } = compile(spec, hostWith(cgroup), { ...options, ...(systemd && { systemd }) });
    return toJson([...plan.ops].map(({ at, ...op }) => op));
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_UNSUPPORTED') return undefined;
    throw error;
  }
}

/** Whether a change of a config has an effect; a value that the compiler ignores has none. */
export function isApplied(change: Partial<Spec>, to: Spec = base, where: FeatureHost = {}): boolean {
  const changed = { ...to, ...change };
  if (change.linux) changed.linux = { ...to.linux, ...change.linux };
  const plan = planOf(changed, where);
  return plan !== undefined && plan !== planOf(to, where);
}

const isLinuxApplied = (linux: Linux): boolean => isApplied({ linux });

function cgroupFeatures(): NonNullable<FeaturesLinux['cgroup']> {
  const limit: Partial<Spec> = { linux: { resources: { memory: { limit: 1 << 20 } } } };
  const rdma: Partial<Spec> = { linux: { resources: { rdma: { x: { hcaHandles: 1 } } } } };
  const managedBy = (systemd: SystemdScope): boolean =>
    isApplied(limit, base, { systemd }) && planOf(base, { systemd }) !== planOf(base, {});
  const manager = { cgroup: '/user.slice', bus: { path: '/bus' } as Address };
  return {
    v1: isApplied(limit, base, { cgroup: cgroupV1 }),
    v2: isApplied(limit),
    systemd: managedBy(scopes()),
    systemdUser: managedBy(scopes(manager)),
    rdma: isApplied(rdma) && isApplied(rdma, base, { cgroup: cgroupV1 }),
  };
}

function rdtFeatures(): NonNullable<FeaturesLinux['intelRdt']> {
  const enabled = isLinuxApplied({ intelRdt: { closID: 'x' } });
  if (!enabled) return { enabled };
  return {
    enabled,
    schemata: isLinuxApplied({ intelRdt: { schemata: ['L3:0=f'] } }),
    monitoring: isLinuxApplied({ intelRdt: { enableMonitoring: true } }),
  };
}

function memoryPolicyFeatures(): Pick<FeaturesLinux, 'memoryPolicy'> {
  const policy = { mode: 'MPOL_BIND', nodes: '0' };
  const modes = names.memoryModes.filter((mode) => isLinuxApplied({ memoryPolicy: { ...policy, mode } })).sort();
  const plain: Spec = { ...base, linux: { ...base.linux, memoryPolicy: policy } };
  const flags = names.memoryFlags.filter((f) =>
    isApplied({ linux: { memoryPolicy: { ...policy, flags: [f] } } }, plain),
  );
  return modes.length === 0 ? {} : { memoryPolicy: { modes, flags: flags.sort() } };
}

function seccompFeatures(): NonNullable<FeaturesLinux['seccomp']> {
  const known = filterFlagNames().sort();
  const takes = (change: Partial<Seccomp>): boolean =>
    canCompile(seccompProfile({ defaultAction: 'SCMP_ACT_ALLOW', ...change }));
  const rule = { names: ['getpid'], action: 'SCMP_ACT_ERRNO' };
  return {
    enabled: takes({ syscalls: [rule] }),
    actions: names.actions.filter((action) => takes({ syscalls: [{ ...rule, action }] })).sort(),
    operators: names.operators
      .filter((op) => takes({ syscalls: [{ ...rule, args: [{ index: 0, op, value: 0 }] }] }))
      .sort(),
    archs: names.archs.filter((arch) => takes({ architectures: [arch] })).sort(),
    knownFlags: known,
    supportedFlags: known.filter((name) => knowsFilterFlags(probeFlags(name))),
  };
}
