/** Owner of the container's v2 cgroup: the process's user, if it may write (config-linux.md#cgroup-ownership). */
import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import type { Spec } from '../../spec/config-types.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

/**
 * Changes the owner if the container has its own cgroup namespace and mounts its cgroups read-write: systemd makes its
 * tree there then. Does nothing if the user is the runtime's own or is not mapped, or if runt is rootless: then it
 * cannot chown.
 */
export function cgroupOwnerOps(spec: Spec, facts: HostFacts, cgroups: CgroupPaths, cgroupNamespace: boolean): Op[] {
  if (!cgroupNamespace || cgroups.v1.length > 0 || !cgroups.unified?.writable || facts.rootless) return [];
  const index = (spec.mounts ?? []).findIndex(
    ({ type, options = [] }) =>
      (type === 'cgroup' || type === 'cgroup2') && options.lastIndexOf('rw') >= options.lastIndexOf('ro'),
  );
  if (index < 0) return [];
  const id = spec.process?.user?.uid ?? 0;
  const maps = spec.linux?.uidMappings ?? [];
  const map = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  const uid = map ? map.hostID + id - map.containerID : maps.length > 0 ? facts.euid : id;
  if (uid === facts.euid) return [];
  return [{ op: 'cgroupOwner', at: `/mounts/${index}`, path: cgroups.unified.path, uid }];
}
