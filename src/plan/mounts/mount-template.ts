/** Whether the container's mount namespace may be a copy of one with a single mount, instead of the host's. */
import type { Spec } from '../../spec/config-types.js';
import { CLONE_NEWNS } from '../../sys/linux.js';
import { cleanPath } from '../container-path.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { hasUserNamespace, joinedNamespaces, newNamespaces } from '../namespaces/namespace-compile.js';
import { isBind } from './mount-settings.js';
import { sourcePath } from './mount-sources.js';

/** File systems that the kernel mounts without a path of the host: no device, and no directories of an overlay. */
const pathless = new Set(
  'proc sysfs tmpfs ramfs devpts mqueue cgroup cgroup2 hugetlbfs bpf debugfs tracefs securityfs configfs'.split(' '),
);

/** The runtime holds a descriptor for each bind source, and a supervisor gets at most 253 at once (unix(7)). */
const mostSources = 128;

/**
 * Only the runtime reaches the host's mounts then. So they may not be needed by what runs in the new namespace:
 * hooks, a source that an earlier mount may still make, file systems with paths. Nor may they stay in it
 * (`--no-pivot`), or the container's mounts be their peers (`shared`). A new user namespace would have to own the copy,
 * and its processes may not enter the template.
 */
export function usesMountTemplate(spec: Spec, facts: HostFacts, options: CompileOptions, rootfs: string): boolean {
  const { hooks, mounts = [] } = spec;
  const inRootfs = `${cleanPath(rootfs)}/`;
  return (
    (newNamespaces(spec) & CLONE_NEWNS) !== 0 &&
    joinedNamespaces(spec) === 0 &&
    !hasUserNamespace(spec) &&
    !facts.rootless &&
    !facts.oldMounts &&
    !options.noPivot &&
    !spec.linux?.rootfsPropagation?.endsWith('shared') &&
    !hooks?.prestart?.length &&
    !hooks?.createRuntime?.length &&
    !hooks?.createContainer?.length &&
    mounts.length <= mostSources &&
    mounts.every((mount) =>
      isBind(mount)
        ? !cleanPath(sourcePath(mount, options.bundle)).startsWith(inRootfs)
        : mount.type === undefined || pathless.has(mount.type),
    ) &&
    facts.hasMountTemplate()
  );
}
