/** A mount of type `cgroup`: what the container sees of its cgroups (config-linux.md, cgroup mounts of runc). */
import { hierarchyDirectory, hierarchyLinks, hierarchyOptions } from '../cgroup/facts.js';
import type { CgroupPaths } from '../cgroup/path.js';
import type { Mount } from '../spec/types.js';
import { MOUNT_ATTR_RDONLY } from '../sys/linux.js';
import type { HostFacts } from './facts.js';
import { mountBind, mountFs } from './mount-op.js';
import type { MountSettings } from './mount-settings.js';
import type { Op } from './ops.js';

/** One mount of the config, its options read. */
export interface CgroupMount {
  readonly mount: Mount;
  readonly settings: MountSettings;
  readonly target: string;
  readonly at: string;
}

/** What of the container's namespaces decides how its cgroups are shown. */
export interface CgroupView {
  /** A cgroup namespace of its own. */
  readonly cgroupNamespace: boolean;
  /** A user namespace of its own. */
  readonly userNamespace: boolean;
  readonly paths: CgroupPaths;
}

/**
 * v2: the hierarchy itself; in a user namespace, be it that of an engine, without a cgroup namespace the kernel forbids that and the container's
 * own cgroup is bound. v1: a tmpfs with one mount for each hierarchy, of the new cgroup namespace's root or a bind of
 * the container's cgroup, and links for the names of co-mounted controllers.
 * A rootless container without a cgroup namespace sees its cgroups read-only: they are the host's (CVE-2023-25809).
 */
export function cgroupMountOps(facts: HostFacts, view: CgroupView, m: CgroupMount): Op[] {
  const { settings, target, at } = m;
  const attrs = (settings.setAttrs | settings.setAttrsRec) >>> 0;
  const guarded = facts.rootless && !view.cgroupNamespace ? attrs | MOUNT_ATTR_RDONLY : attrs;
  const { propagation } = settings;
  const unified = facts.cgroup.layout === 'v2' || m.mount.type === 'cgroup2';
  if (unified) {
    if (view.cgroupNamespace || !(view.userNamespace || facts.rootless)) {
      const { data: options, flags } = settings;
      const source = m.mount.source ?? 'cgroup';
      return [mountFs({ at, target, fstype: 'cgroup2', source, options, attrs: guarded, propagation, flags })];
    }
    const own = view.paths.unified;
    // In an engine's all of the hierarchy, as with runc and crun: /proc/self/cgroup names a place in it.
    const source =
      view.userNamespace && own?.writable ? own.path : (facts.cgroup.unified?.mountPoint ?? '/sys/fs/cgroup');
    return [mountBind({ at, target, source, setAttrs: guarded, propagation })];
  }
  const plain = attrs & ~MOUNT_ATTR_RDONLY;
  const ops: Op[] = [
    mountFs({ at, target, fstype: 'tmpfs', source: 'tmpfs', options: ['mode=755'], attrs: plain, propagation }),
  ];
  for (const { hierarchy, path, writable } of view.paths.v1) {
    const directory = `${target}/${hierarchyDirectory(hierarchy)}`;
    const source = writable ? path : `${hierarchy.mountPoint}${hierarchy.own === '/' ? '' : hierarchy.own}`;
    ops.push(
      view.cgroupNamespace
        ? mountFs({
            at,
            target: directory,
            fstype: 'cgroup',
            source: hierarchy.name ?? 'cgroup',
            options: hierarchyOptions(hierarchy),
            attrs: guarded,
            propagation,
          })
        : mountBind({ at, target: directory, source, setAttrs: guarded, propagation }),
    );
    for (const name of hierarchyLinks(hierarchy)) {
      ops.push({ op: 'symlink', at, content: hierarchyDirectory(hierarchy), path: `${target}/${name}`, required: 0 });
    }
  }
  if (attrs & MOUNT_ATTR_RDONLY)
    ops.push({ op: 'mountAttrs', at, target, setAttrs: MOUNT_ATTR_RDONLY, clearAttrs: 0, recursive: 0 });
  return ops;
}
