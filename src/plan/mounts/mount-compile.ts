/** `mounts` → mountFs, mountBind and the cgroup tree (config.md#mounts). */
import { type Encoding, encoders, type OpEncoder } from '../../../build/gen/op-encoders.js';
import type { Mount, Spec } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { CLONE_NEWNS, MOUNT_ATTR_RDONLY, MS_REC, MS_SHARED } from '../../sys/linux.js';
import { type CgroupView, cgroupMountOps } from '../cgroup/cgroup-mount.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { withLabels } from '../labels/mount-label.js';
import { joinedNamespaces } from '../namespaces/namespace-compile.js';
import type { OpEntry, OpMaker, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { type BindMount, type FsMount, mountFs, mountLike } from './mount-op.js';
import { type MountKind, type MountSettings, newMountAttributes } from './mount-settings.js';
import type { Trees } from './mount-sources.js';
import { BIND, FS, NO_SLOT, sharedFields } from './mount-text.js';
import { overlayLayers } from './overlay-layers.js';
import { overlayOptions } from './overlay-options.js';

/** Operations of all mounts, in order. `trees` holds the bind sources and id maps that the runtime opens. */
export function mountOps(
  spec: Spec,
  facts: HostFacts,
  options: CompileOptions,
  trees: Trees,
  view: CgroupView,
  makers: OpMakers,
): OpEntry[] {
  const { mounts = [] } = spec;
  const { kinds } = trees;
  const made = new MountMaker(spec, facts, trees);
  const first = makers.add(made, mounts.length);
  const ops: OpEntry[] = [];
  // A loop with few calls and objects: a config may have thousands of mounts.
  for (let i = 0; i < mounts.length; i++) {
    const kind = kinds[i] as MountKind;
    const { settings: s, type } = kind;
    if (s.bind ? !s.remount : isPlain(type, s)) {
      ops[ops.length] = first === undefined ? made.op(i) : first + i;
      continue;
    }
    const mount = mounts[i] as Mount;
    const target = made.targetOf(i);
    const at = `/mounts/${i}`;
    const propagation = made.propagationOf(i, s);
    if (s.remount || type === '') {
      append(ops, remountOps({ ...s, propagation }, target, at));
    } else if (type === 'cgroup' || type === 'cgroup2') {
      append(ops, cgroupMountOps(facts, view, { mount, settings: { ...s, propagation }, target, at }));
    } else {
      const op = made.fs(i);
      if (type === 'overlay') {
        const layered = overlayLayers(mount, i, s.data, options, trees.layers.get(i));
        if (layered) append(ops, layered.ops);
        const real = (path: string): string => realPath(path, spec, facts);
        op.options = [...overlayOptions(layered?.kept ?? s.data, options.bundle, real), ...(layered?.layers ?? [])];
      }
      ops[ops.length] = op;
    }
  }
  if (!spec.linux?.mountLabel) return ops;
  const whole = ops.map((op) => makers.op(op));
  return withLabels(whole, spec, facts);
}

/**
 * Whether the mount operation of a new file system depends on nothing but the mount. The others are made at once: the
 * plan changes a sysfs, and a tmpfs that becomes read-only later.
 */
const isPlain = (type: string, s: MountSettings): boolean =>
  !s.remount && !ownWays.has(type) && !(newMountAttributes(s) & MOUNT_ATTR_RDONLY);

const ownWays = new Set(['', 'cgroup', 'cgroup2', 'overlay', 'sysfs']);

/** The operations of mounts by their index, each in its place in the plan. */
class MountMaker implements OpMaker {
  readonly by = 'init';
  private readonly mounts: readonly Mount[];
  private readonly rshared: readonly number[];
  /** Whether no mount has more fields of its own than its paths and its slot. */
  private readonly areAlike: boolean;

  constructor(
    private readonly spec: Spec,
    private readonly facts: HostFacts,
    private readonly trees: Trees,
  ) {
    this.mounts = spec.mounts ?? [];
    this.areAlike = trees.roots.size === 0 && trees.inside.size === 0 && trees.maps.size === 0;
    this.rshared = spec.linux?.rootfsPropagation === 'rshared' ? [MS_SHARED | MS_REC] : [];
  }

  op(i: number): Op {
    return this.trees.kinds[i]?.settings.bind ? this.bind(i) : this.fs(i);
  }

  encode(index: number, count: number, at: number, w: Encoding): string {
    const { trees, mounts } = this;
    const areAlike = this.areAlike;
    const { kinds, binds } = trees;
    const cleaned = trees.cleaned.size > 0 ? trees.cleaned : undefined;
    const relative = trees.relative.size > 0 ? trees.relative : undefined;
    const texts: string[] = [];
    let { fields, slots } = w;
    for (let i = index, n = 0; n < count; i++, n++) {
      const kind = kinds[i] as MountKind;
      const { shared } = kind;
      if (!shared || (!areAlike && this.hasOwn(i))) {
        w.fields = fields;
        w.slots = slots;
        texts[n] = this.encodeAlone(i, at + n, w);
        ({ fields, slots } = w);
        continue;
      }
      const mount = mounts[i] as Mount;
      const target = cleaned?.get(i) ?? mount.destination;
      fields += shared.fields;
      if (!kind.settings.bind) {
        const source = this.sourceOf(mount, kind.type);
        texts[n] = `${FS}${at + n}\0${target}\0${kind.type}\0${source}${shared.text}`;
        continue;
      }
      const source = relative?.get(i) ?? mount.source;
      const slot = binds[i] as number;
      if (slot >= slots) slots = slot + 1;
      texts[n] =
        slot === NO_SLOT
          ? `${BIND}${at + n}\0${target}\0${source}\0${shared.text}`
          : `${BIND}${at + n}\0${target}\0${source}\0${slot}${shared.text}`;
    }
    w.fields = fields;
    w.slots = slots;
    return texts.join('');
  }

  /** By the way of the operation. */
  private encodeAlone(i: number, at: number, w: Encoding): string {
    const kind = this.trees.kinds[i] as MountKind;
    const op = kind.settings.bind ? this.bind(i) : this.fs(i);
    // Not with the first: most kinds have one mount.
    if (kind.isEncoded && !kind.shared && !this.hasOwn(i)) kind.shared = sharedFields(op);
    kind.isEncoded = true;
    return (encoders[op.op] as OpEncoder)(op, at, w);
  }

  /** Whether a mount has more fields of its own than its paths and its slot. */
  private hasOwn(i: number): boolean {
    const { roots, inside, maps } = this.trees;
    return roots.has(i) || inside.has(i) || maps.has(i);
  }

  targetOf(i: number): string {
    return this.trees.cleaned.get(i) ?? (this.mounts[i] as Mount).destination;
  }

  private sourceOf({ source }: Mount, type: string): string {
    return hostPath(source ?? type, this.spec, this.facts);
  }

  /** A new mount is private, and a bind has its tree's propagation: only rshared rootfsPropagation changes them. */
  propagationOf(i: number, s: MountSettings): readonly number[] {
    if (this.trees.roots.has(i)) return [];
    return s.propagation.length === 0 && !s.remount ? this.rshared : s.propagation;
  }

  private bind(i: number) {
    const { kinds, relative, binds, inside, maps } = this.trees;
    const kind = kinds[i] as MountKind;
    const propagation = this.propagationOf(i, kind.settings);
    kind.bind ??= bindOp(kind.settings, propagation);
    const op = mountLike(kind.bind, `/mounts/${i}`, this.targetOf(i), relative.get(i) ?? this.mounts[i]?.source ?? '');
    if (binds[i] !== NO_SLOT) op.slot = binds[i];
    if (op.propagation !== propagation) op.propagation = propagation;
    if (inside.size > 0) op.inside = inside.get(i);
    if (maps.size > 0) {
      op.idmap = maps.get(i);
      op.recursiveIdmap = op.idmap !== undefined && kind.settings.idmap?.recursive === true;
    }
    return op;
  }

  fs(i: number) {
    const { kinds, maps } = this.trees;
    const kind = kinds[i] as MountKind;
    const propagation = this.propagationOf(i, kind.settings);
    kind.fs ??= fsOp(kind.type, kind.settings, propagation);
    const op = mountLike(kind.fs, `/mounts/${i}`, this.targetOf(i), this.sourceOf(this.mounts[i] as Mount, kind.type));
    if (op.propagation !== propagation) op.propagation = propagation;
    if (maps.size > 0) op.idmap = maps.get(i);
    return op;
  }
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
