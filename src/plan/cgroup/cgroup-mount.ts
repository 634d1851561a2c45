/** Mounts of type `cgroup`: the container's view of its cgroups (config-linux.md, cgroup mounts of runc). */
import { hierarchyDirectory, hierarchyLinks, hierarchyOptions } from '../../cgroup/cgroup-facts.js';
import { type CgroupPaths, shownCgroup } from '../../cgroup/cgroup-paths.js';
import type { Mount } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_REC } from '../../sys/linux.js';
import type { HostFacts } from '../host-facts.js';
import { mountBind, mountFs } from '../mounts/mount-op.js';
import { type MountSettings, newMountAttributes } from '../mounts/mount-settings.js';
import type { Op } from '../plan-ops.js';

/** A mount of the config, with parsed options. */
export interface CgroupMount {
  readonly mount: Mount;
  readonly settings: MountSettings;
  readonly target: string;
  readonly at: string;
}

/** Properties of the container's namespaces that decide how its cgroups are mounted. */
export interface CgroupView {
  /** Whether it has a cgroup namespace of its own. */
  readonly cgroupNamespace: boolean;
  /** Whether it has a user namespace of its own. */
  readonly userNamespace: boolean;
  readonly paths: CgroupPaths;
}

/**
 * v2: in a cgroup namespace of its own, a new mount of the hierarchy. Without one, a bind of the host's mount, or of
 * the container's own cgroup if it has a user namespace: a new mount would change the hierarchy's options, and remove
 * nsdelegate and memory_recursiveprot from the host (cgroup_apply_root_flags in the kernel).
 * v1: a tmpfs with one mount per hierarchy and links for the names of co-mounted controllers. Each mount is the root of
 * the new cgroup namespace, or a bind of the container's cgroup.
 * A rootless container without a cgroup namespace sees its cgroups read-only: they are the host's (CVE-2023-25809).
 */
export function cgroupMountOps(facts: HostFacts, view: CgroupView, m: CgroupMount): Op[] {
  const { settings, target, at } = m;
  const attrs = newMountAttributes(settings);
  const guarded = facts.rootless && !view.cgroupNamespace ? attrs | MOUNT_ATTR_RDONLY : attrs;
  const { propagation } = settings;
  const unified = facts.cgroup.layout === 'v2' || m.mount.type === 'cgroup2';
  if (unified) {
    const hosts = facts.cgroup.unified?.mountPoint;
    if (view.cgroupNamespace || hosts === undefined) {
      const { data: options, flags } = settings;
      const source = m.mount.source ?? 'cgroup';
      return [mountFs({ at, target, fstype: 'cgroup2', source, options, attrs: guarded, propagation, flags })];
    }
    refuseOtherOptions(m, facts);
    const own = view.paths.unified;
    // In an engine's user namespace show the whole hierarchy, as runc and crun do: /proc/self/cgroup holds a path in
    // it.
    const source = view.userNamespace && own?.writable ? own.path : hosts;
    const { clearAttrs } = settings;
    // As a new mount: a slave of the host's mount is one that criu cannot dump.
    const apart = propagation.length > 0 ? propagation : [MS_PRIVATE | MS_REC];
    return [
      mountBind({ at, target, source, setAttrs: guarded, clearAttrs: clearAttrs & ~guarded, propagation: apart }),
    ];
  }
  const plain = attrs & ~MOUNT_ATTR_RDONLY;
  const ops: Op[] = [
    mountFs({ at, target, fstype: 'tmpfs', source: 'tmpfs', options: ['mode=755'], attrs: plain, propagation }),
  ];
  for (const v1Path of view.paths.v1) {
    const { hierarchy } = v1Path;
    const directory = `${target}/${hierarchyDirectory(hierarchy)}`;
    const source = shownCgroup(v1Path);
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
      ops.push({
        op: 'symlink',
        at,
        content: hierarchyDirectory(hierarchy),
        path: `${target}/${name}`,
        required: false,
      });
    }
  }
  if (attrs & MOUNT_ATTR_RDONLY)
    ops.push({ op: 'mountAttrs', at, target, setAttrs: MOUNT_ATTR_RDONLY, clearAttrs: 0, recursive: false });
  return ops;
}

/**
 * A bind has the file system options of the host's mount; newer engines pass them.
 * @throws RuntError ERR_UNSUPPORTED for an option that the host's mount does not have
 */
function refuseOtherOptions({ mount, settings, at }: CgroupMount, facts: HostFacts): void {
  // Read-only is an attribute of the container's mount.
  const requested = settings.data.filter((option) => option !== 'ro' && option !== 'rw');
  if (requested.length === 0) return;
  const current = facts.unifiedOptions();
  const other = requested.find((option) => !current.includes(option));
  if (other === undefined) return;
  throw new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `the option "${other}" would change the host's mount of cgroup v2, which the container shares`,
    pointer: `${at}/options/${mount.options?.indexOf(other)}`,
    value: other,
    hint: 'give the container a cgroup namespace, or remove the option',
    see: 'cgroups(7), "Cgroups v2 mount options"',
  });
}
