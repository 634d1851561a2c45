/** Host facts of invented hosts, for tests of the compiler. */
import type { CgroupFacts } from '../../src/cgroup/cgroup-facts.js';
import type { CompileOptions, HostFacts } from '../../src/plan/host-facts.js';
import { hostWith } from '../../src/plan/ideal-hosts.js';

const hierarchy = (controllers: string[], directory = controllers.join(',')) => ({
  mountPoint: `/sys/fs/cgroup/${directory}`,
  root: '/',
  controllers,
  own: '/',
});

export const v1: CgroupFacts = {
  layout: 'v1',
  v1: [
    hierarchy(['cpuset']),
    hierarchy(['cpu', 'cpuacct']),
    hierarchy(['memory']),
    hierarchy(['devices']),
    hierarchy(['pids']),
    { mountPoint: '/sys/fs/cgroup/systemd', root: '/', controllers: [], name: 'systemd', own: '/user.slice' },
  ],
};

export const v2: CgroupFacts = {
  layout: 'v2',
  v1: [],
  unified: { mountPoint: '/sys/fs/cgroup', own: '/', controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] },
};

export const none: CgroupFacts = { layout: 'none', v1: [] };

/** Root on a host with cgroup v1, unless overridden. */
export function hostFacts(over: Partial<HostFacts> = {}): HostFacts {
  return { ...hostWith(v1), lastCapability: 40, ...over };
}

/** An ordinary user, 1000:1000, with newuidmap and newgidmap, and without a delegated cgroup. */
export const rootlessFacts = (over: Partial<HostFacts> = {}): HostFacts =>
  hostFacts({
    euid: 1000,
    egid: 1000,
    rootless: true,
    isCgroupWritable: () => false,
    mayClone: () => false,
    newuidmap: '/usr/bin/newuidmap',
    newgidmap: '/usr/bin/newgidmap',
    ...over,
  });

export function compileOptions(over: Partial<CompileOptions> = {}): CompileOptions {
  return {
    id: 'c1',
    bundle: '/bundle',
    stateDir: '/run/runt/c1',
    startSocket: true,
    supervise: false,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    ...over,
  };
}
