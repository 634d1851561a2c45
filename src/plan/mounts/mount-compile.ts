/** `mounts` → mountFs, mountBind and the cgroup tree (config.md#mounts). */
import type { Mount, Spec } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { CLONE_NEWNS, MS_REC, MS_SHARED } from '../../sys/linux.js';
import { type CgroupView, cgroupMountOps } from '../cgroup/cgroup-mount.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { withLabels } from '../labels/mount-label.js';
import { joinedNamespaces } from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { type BindMount, type FsMount, mountFs, mountLike } from './mount-op.js';
import { type MountKind, type MountSettings, newMountAttributes } from './mount-settings.js';
import type { Trees } from './mount-sources.js';
import { overlayLayers } from './overlay-layers.js';
import { overlayOptions } from './overlay-options.js';

/** Operations of all mounts, in order. `trees` holds the bind sources and id maps that the runtime opens. */
export function mountOps(spec: Spec, facts: HostFacts, options: CompileOptions, trees: Trees, view: CgroupView): Op[] {
  const ops = opsOfMounts(spec, facts, options, trees, view);
  return spec.linux?.mountLabel ? withLabels(ops, spec, facts) : ops;
}

function opsOfMounts(spec: Spec, facts: HostFacts, options: CompileOptions, trees: Trees, view: CgroupView): Op[] {
  const { mounts = [] } = spec;
  const { bundle } = options;
  const rshared = spec.linux?.rootfsPropagation === 'rshared' ? [MS_SHARED | MS_REC] : [];
  const { kinds, targets, binds, paths, roots } = trees;
  const hasRoots = roots.size > 0;
  const hasInside = trees.inside.size > 0;
  const hasMaps = trees.maps.size > 0;
  const ops: Op[] = [];
  // A loop with few calls and objects: a config may have thousands of mounts.
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    const kind = kinds[i] as MountKind;
    const s = kind.settings;
    const target = targets[i] as string;
    const at = `/mounts/${i}`;
    const isRoot = hasRoots && roots.has(i);
    // A new mount is private, and a bind has its tree's propagation: only rshared rootfsPropagation changes them.
    const inherits = s.propagation.length === 0 && !s.remount;
    const propagation = isRoot ? [] : inherits ? rshared : s.propagation;
    const { type = '' } = mount;
    if (s.remount || (!s.bind && type === '')) {
      append(ops, remountOps({ ...s, propagation }, target, at));
    } else if (s.bind) {
      kind.bind ??= bindOp(s, propagation);
      const op = mountLike(kind.bind, at, target, paths[i] as string);
      op.slot = binds[i];
      if (op.propagation !== propagation) op.propagation = propagation;
      if (hasInside) op.inside = trees.inside.get(i);
      if (hasMaps) {
        op.idmap = trees.maps.get(i);
        op.recursiveIdmap = op.idmap !== undefined && s.idmap?.recursive === true;
      }
      ops[ops.length] = op;
    } else if (type === 'cgroup' || type === 'cgroup2') {
      append(ops, cgroupMountOps(facts, view, { mount, settings: { ...s, propagation }, target, at }));
    } else {
      kind.fs ??= fsOp(type, s, propagation);
      const source = hostPath(mount.source ?? type, spec, facts);
      const op = mountLike(kind.fs, at, target, source);
      if (op.propagation !== propagation) op.propagation = propagation;
      if (hasMaps) op.idmap = trees.maps.get(i);
      if (type === 'overlay') {
        const layered = overlayLayers(mount, i, s.data, options, trees.layers.get(i));
        if (layered) append(ops, layered.ops);
        const real = (path: string): string => realPath(path, spec, facts);
        op.options = [...overlayOptions(layered?.kept ?? s.data, bundle, real), ...(layered?.layers ?? [])];
      }
      ops[ops.length] = op;
    }
  }
  return ops;
}

/** The operation of binds of a kind, without their paths and slots. */
function bindOp(s: MountSettings, propagation: readonly number[]): BindMount {
  return {
    op: 'mountBind',
    at: '',
    target: '',
    source: '',
    slot: undefined,
    recursive: s.recursiveBind,
    setAttrs: s.setAttrs,
    clearAttrs: s.clearAttrs,
    setAttrsRec: s.setAttrsRec,
    clearAttrsRec: s.clearAttrsRec,
    propagation,
    sourceNofollow: s.sourceNofollow,
    targetNofollow: s.targetNofollow,
    copySymlink: s.copySymlink,
    inside: undefined,
    idmap: undefined,
    recursiveIdmap: false,
  };
}

/** The operation of new file systems of a kind, without their paths. */
function fsOp(fstype: string, s: MountSettings, propagation: readonly number[]): FsMount {
  return mountFs({
    at: '',
    target: '',
    fstype,
    source: '',
    options: s.data,
    attrs: newMountAttributes(s),
    propagation,
    inheritMode: fstype === 'tmpfs' && !s.data.some((d) => d.startsWith('mode=')),
    flags: s.flags,
    copyUp: s.copyUp,
    idmap: undefined,
  });
}

/** Paths in a joined mount namespace are not the runtime's. */
const realPath = (path: string, spec: Spec, facts: HostFacts): string =>
  (joinedNamespaces(spec) & CLONE_NEWNS ? '' : facts.realPath(path)) || path;

/**
 * A source that the kernel opens. It opens the directories of an overlay, and a device, after the container's root is
 * attached over `/`: a path that passes `/` by `..`, its own or a symlink's, would continue in that root.
 */
const hostPath = (source: string, spec: Spec, facts: HostFacts): string =>
  source.includes('..') && /^\/(.*\/)?\.\.(\/|$)/.test(source) ? realPath(source, spec, facts) : source;

/**
 * `remount`, or propagation alone: changes an existing mount's file system options (not with `bind`), attributes and
 * propagation.
 */
function remountOps(s: MountSettings, target: string, at: string): Op[] {
  const ops: Op[] = [];
  if (s.remount && !s.bind) ops.push({ op: 'reconfigure', at, target, options: s.data });
  const attributes = (setAttrs: number, clearAttrs: number, recursive: boolean): void => {
    if (setAttrs || clearAttrs) ops.push({ op: 'mountAttrs', at, target, setAttrs, clearAttrs, recursive });
  };
  attributes(s.setAttrs, s.clearAttrs, false);
  attributes(s.setAttrsRec, s.clearAttrsRec, true);
  if (s.propagation.length) ops.push({ op: 'propagate', at, target, propagation: s.propagation });
  return ops;
}
