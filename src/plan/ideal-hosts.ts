/** Ideal hosts, which support every feature: a value that none of them accepts is refused everywhere. */
import type { CgroupFacts, V1Hierarchy } from '../cgroup/cgroup-facts.js';
import type { Spec } from '../spec/config-types.js';
import { RuntError, type Violation } from '../sys/error.js';
import { compile } from './compile.js';
import { encodeParts } from './encode-plan.js';
import type { CompileOptions, HostFacts } from './host-facts.js';

const v1Controllers = 'cpuset cpu cpuacct memory devices pids blkio hugetlb rdma misc net_cls net_prio freezer'.split(
  ' ',
);
const v2Controllers = 'cpuset cpu io memory pids hugetlb rdma misc'.split(' ');

const hierarchy = (name: string): V1Hierarchy => ({
  mountPoint: `/sys/fs/cgroup/${name}`,
  root: '/',
  controllers: [name],
  own: '/',
});

export const cgroupV2: CgroupFacts = {
  layout: 'v2',
  v1: [],
  unified: { mountPoint: '/sys/fs/cgroup', own: '/', controllers: v2Controllers },
};
export const cgroupV1: CgroupFacts = { layout: 'v1', v1: v1Controllers.map(hierarchy) };

/** Root on a host that supports everything but what its cgroups lack. */
export const hostWith = (cgroup: CgroupFacts): HostFacts => ({
  cgroup,
  euid: 0,
  egid: 0,
  rootless: false,
  lastCapability: 63,
  isCgroupWritable: () => true,
  unifiedOptions: () => [],
  ownCgroupNamespace: () => false,
  cgroupParent: (_mountPoint, own) => own.slice(0, own.lastIndexOf('/')) || '/',
  realPath: (path) => path,
  mayClone: () => true,
  hasMountTemplate: () => false,
  kcore: true,
  newuidmap: '',
  newgidmap: '',
  resctrl: () => '/sys/fs/resctrl',
  apparmor: () => true,
  selinux: () => true,
});

export const options: CompileOptions = {
  id: 'container',
  bundle: '/bundle',
  stateDir: '/run/runt/container',
  startSocket: true,
  supervise: false,
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
};

/** Why a valid config compiles for no host; undefined if it compiles for one. */
export function refusedEverywhere(spec: Spec): RuntError | undefined {
  let refused: RuntError | undefined;
  for (const layout of [cgroupV2, cgroupV1]) {
    try {
      encodeParts(compile(spec, hostWith(layout), options).plan, { trace: false, startSocket: -1, slots: [] });
      return undefined;
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
      refused ??= error;
    }
  }
  return refused;
}

/** A compiler's error in the form of a config rule's violation. */
export const asViolation = ({ pointer = '', value, message }: RuntError): Violation => ({
  pointer,
  ...(value !== undefined && { value }),
  expected: `be a value that runt can apply: ${message}`,
});
