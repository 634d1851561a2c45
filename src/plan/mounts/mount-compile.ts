/** `mounts` → mountFs, mountBind and the cgroup tree (config.md#mounts). */
import type { Mount, Spec } from '../../spec/config-types.js';
import { isRoot } from '../../spec/mount-options.js';
import { append } from '../../sys/append.js';
import { CLONE_NEWNS, MS_REC, MS_SHARED } from '../../sys/linux.js';
import { type CgroupView, cgroupMountOps } from '../cgroup/cgroup-mount.js';
import { cleanPath } from '../container-path.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { withLabels } from '../labels/mount-label.js';
import { joinedNamespaces } from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { mountFs } from './mount-op.js';
import { type MountSettings, newMountAttributes } from './mount-settings.js';
import { sourcePath, type Trees } from './mount-sources.js';
import { type LayeredOverlay, overlayLayers } from './overlay-layers.js';
import { overlayOptions } from './overlay-options.js';

/** A mount with its settings and target. */
interface CompiledMount {
  readonly mount: Mount;
  readonly settings: MountSettings;
  readonly target: string;
  readonly at: string;
  readonly bundle: string;
}

/** Operations of all mounts, in order. `trees` holds the bind sources and id maps that the runtime opens. */
export function mountOps(spec: Spec, facts: HostFacts, options: CompileOptions, trees: Trees, view: CgroupView): Op[] {
  const ops = opsOfMounts(spec, facts, options, trees, view);
  return spec.linux?.mountLabel ? withLabels(ops, spec, facts) : ops;
}

function opsOfMounts(spec: Spec, facts: HostFacts, options: CompileOptions, trees: Trees, view: CgroupView): Op[] {
  const rshared = spec.linux?.rootfsPropagation === 'rshared' ? [MS_SHARED | MS_REC] : [];
  const ops: Op[] = [];
  spec.mounts?.forEach((mount, i) => {
    let settings = trees.settings[i] as MountSettings;
    const target = cleanPath(mount.destination);
    // A new mount is private, and a bind has its tree's propagation: only rshared rootfsPropagation changes them.
    const inherits = settings.propagation.length === 0 && !settings.remount;
    const propagation = isRoot(target) ? [] : inherits ? rshared : settings.propagation;
    if (propagation.length !== settings.propagation.length) settings = { ...settings, propagation };
    const compiled: CompiledMount = { mount, settings, target, at: `/mounts/${i}`, bundle: options.bundle };
    if (settings.remount || (!settings.bind && !mount.type)) append(ops, remountOps(compiled));
    else if (settings.bind) ops.push(bindOp(compiled, trees.binds.get(i), trees.inside.get(i), trees.maps.get(i)));
    else if (mount.type === 'cgroup' || mount.type === 'cgroup2') append(ops, cgroupMountOps(facts, view, compiled));
    else {
      const layer = overlayLayers(mount, i, settings.data, options, trees.layers.get(i));
      if (layer) append(ops, layer.ops);
      ops.push(fsOp(compiled, trees.maps.get(i), facts, spec, layer));
    }
  });
  return ops;
}

function bindOp(
  { mount, settings: s, bundle, target, at }: CompiledMount,
  slot: number | undefined,
  inside: string | undefined,
  idmap: number | undefined,
): Op {
  return {
    op: 'mountBind',
    at,
    target,
    source: sourcePath(mount, bundle),
    slot,
    recursive: s.recursiveBind,
    setAttrs: s.setAttrs,
    clearAttrs: s.clearAttrs,
    setAttrsRec: s.setAttrsRec,
    clearAttrsRec: s.clearAttrsRec,
    propagation: s.propagation,
    sourceNofollow: s.sourceNofollow,
    targetNofollow: s.targetNofollow,
    copySymlink: s.copySymlink,
    inside,
    idmap,
    recursiveIdmap: idmap !== undefined && s.idmap?.recursive === true,
  };
}

/**
 * The kernel opens the directories of an overlay, and a device, after the container's root is attached over `/`. A path
 * that passes `/` by `..`, its own or a symlink's, would continue in that root. Paths in a joined mount namespace are
 * not the runtime's.
 */
function fsOp(
  { mount, settings: s, bundle, target, at }: CompiledMount,
  idmap: number | undefined,
  facts: HostFacts,
  spec: Spec,
  layered?: LayeredOverlay,
): Op {
  const fstype = mount.type ?? '';
  const real = (path: string): string => (joinedNamespaces(spec) & CLONE_NEWNS ? '' : facts.realPath(path)) || path;
  const source = mount.source ?? fstype;
  return mountFs({
    at,
    target,
    fstype,
    source: source.includes('..') && /^\/(.*\/)?\.\.(\/|$)/.test(source) ? real(source) : source,
    options:
      fstype === 'overlay'
        ? [...overlayOptions(layered?.kept ?? s.data, bundle, real), ...(layered?.layers ?? [])]
        : s.data,
    attrs: newMountAttributes(s),
    propagation: s.propagation,
    inheritMode: fstype === 'tmpfs' && !s.data.some((d) => d.startsWith('mode=')),
    flags: s.flags,
    copyUp: s.copyUp,
    idmap,
  });
}

/**
 * `remount`, or propagation alone: changes an existing mount's file system options (not with `bind`), attributes and
 * propagation.
 */
function remountOps({ settings: s, target, at }: CompiledMount): Op[] {
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
