/** `root` and `linux.rootfsPropagation`: the mount tree before and after the pivot. */
import type { Mount, Spec } from '../../spec/config-types.js';
import { CLONE_NEWUSER, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from '../../sys/linux.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { mountSettings } from '../mounts/mount-settings.js';
import { hasMountNamespace, joinedNamespaces, newNamespaces } from '../namespaces/namespace-compile.js';
import type { OpEntry } from '../op-list.js';
import type { Op } from '../plan-ops.js';

const propagationFlag: Readonly<Record<string, number>> = {
  shared: MS_SHARED,
  slave: MS_SLAVE,
  private: MS_PRIVATE,
  unbindable: MS_UNBINDABLE,
};

/** MS_* flags of a `rootfsPropagation` such as `rslave`; 0 for none. */
export function rootPropagation(name: string | undefined): number {
  if (!name) return 0;
  const recursive = name.length > 1 && name[0] === 'r' && name.slice(1) in propagationFlag;
  return (propagationFlag[recursive ? name.slice(1) : name] ?? 0) | (recursive ? MS_REC : 0);
}

/** Absolute path of the container's root file system on the host. */
export function rootfsPath(spec: Spec, bundle: string): string {
  const path = spec.root?.path ?? 'rootfs';
  return path.startsWith('/') ? path : `${bundle}/${path}`;
}

/**
 * Before the mounts, the inherited tree becomes a slave, so that no mount here reaches the host. Or it gets the
 * rootfsPropagation: shared and slave require it of the host's tree. Then bind sources are cloned from it, and the root
 * becomes a mount. Without a mount namespace the host would see a mount, so the root is a detached tree.
 */
export function enterRoot(
  spec: Spec,
  options: CompileOptions,
  slot: number | undefined,
  sources: readonly OpEntry[],
): OpEntry[] {
  const path = rootfsPath(spec, options.bundle);
  if (!hasMountNamespace(spec)) return [{ op: 'detachedRoot', at: '/root/path', path }];
  const at = spec.linux?.rootfsPropagation ? '/linux/rootfsPropagation' : '';
  const wanted = rootPropagation(spec.linux?.rootfsPropagation);
  // An unbindable tree could not be cloned; for our copy of the host's, private is equivalent.
  const inherited = wanted & MS_UNBINDABLE ? MS_PRIVATE : wanted || MS_SLAVE;
  return [
    { op: 'hostPropagation', at, flags: inherited | MS_REC },
    // As runc: the host does not see binds from beside the rootfs. In a user namespace nothing stays shared.
    ...(inherited & MS_SHARED && slot === undefined ? ([{ op: 'isolate', at, path }] as const) : []),
    ...sources,
    { op: 'rootfs', at: '/root/path', path, slot },
  ];
}

/**
 * Switches into the root, after the mounts, and sets its propagation, except unbindable. `mounts`: the indices of those
 * on `/`.
 */
export function switchRoot(spec: Spec, facts: HostFacts, options: CompileOptions, mounts: Iterable<number>): Op[] {
  const at = '/root/path';
  if (!hasMountNamespace(spec)) return [{ op: 'changeRoot', at }];
  // Mounts of another user namespace are locked, and a pivot in a chroot would pass the lock of its mount point to the
  // root. In a chroot no user namespace can be made.
  const locked = facts.rootless || (joinedNamespaces(spec) & CLONE_NEWUSER) !== 0;
  return [
    ...(locked && !(newNamespaces(spec) & CLONE_NEWUSER) ? ([{ op: 'leaveChroot', at }] as const) : []),
    { op: options.noPivot ? 'moveRoot' : 'pivotRoot', at },
    ...newRootPropagation(spec, mounts, 0),
  ];
}

/** Unbindable is set after readonlyPaths and maskedPaths, which are bind mounts. */
export const unbindableRoot = (spec: Spec, mounts: Iterable<number>): Op[] =>
  newRootPropagation(spec, mounts, MS_UNBINDABLE);

/** pivot_root(2) refuses a root with shared propagation: so that of a mount on `/` is set after it too. */
function newRootPropagation(spec: Spec, mounts: Iterable<number>, unbindable: number): Op[] {
  const ops: Op[] = [];
  const add = (at: string, flags: number): void => {
    if (!flags || (flags & MS_UNBINDABLE) !== unbindable) return;
    // A mount with its own propagation keeps it; the others have had the recursive one from the start.
    ops.push({ op: 'rootPropagation', at, flags: unbindable || at.startsWith('/mounts') ? flags : flags & ~MS_REC });
  };
  for (const i of mounts)
    for (const flags of mountSettings(spec.mounts?.[i] as Mount).propagation) add(`/mounts/${i}`, Number(flags));
  add('/linux/rootfsPropagation', rootPropagation(spec.linux?.rootfsPropagation));
  return ops;
}
