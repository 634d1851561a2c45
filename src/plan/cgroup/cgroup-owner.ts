/** Whose the container's v2 cgroup is: its process's user's, where the container may use it (config-linux.md#cgroup-ownership). */
import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import type { Spec } from '../../spec/config-types.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

/**
 * Gives the cgroup away when the container has a cgroup namespace of its own and mounts its cgroups read-write: systemd
 * makes its tree there then. A user who is root's own, or not mapped, changes nothing; a rootless runtime can give nothing away.
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
