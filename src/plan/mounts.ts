/** `mounts` → mountFs, mountBind and the cgroup tree (config.md#mounts). */
import { mountOption } from '../spec/mount-options.js';
import type { Mount, Spec } from '../spec/types.js';
import { CLONE_NEWNS } from '../sys/linux.js';
import { type CgroupView, cgroupMountOps } from './cgroup-mount.js';
import type { CompileOptions, HostFacts } from './facts.js';
import { hasUserNamespace, joinedNamespaces } from './namespaces.js';
import type { Op } from './ops.js';
import { overlayOptions } from './overlay.js';
import { clean } from './path.js';
import { unsupported } from './unsupported.js';

/** What the options of one mount say, sorted by what they act on. */
export interface MountSettings {
  bind: boolean;
  recursiveBind: boolean;
  setAttrs: number;
  clearAttrs: number;
  setAttrsRec: number;
  clearAttrsRec: number;
  /** Decimal MS_* flags, in order. */
  propagation: string[];
  /** Options of the file system: `key=value` or `key`. */
  data: string[];
}

/** Operations of all mounts, in order. `slots` gives the slot of a bind source that the runtime opens, by mount index. */
export function mountOps(
  spec: Spec,
  facts: HostFacts,
  options: CompileOptions,
  slots: ReadonlyMap<number, number>,
  view: CgroupView,
): Op[] {
  const ops: Op[] = [];
  spec.mounts?.forEach((mount, i) => {
    const at = `/mounts/${i}`;
    const settings = mountSettings(mount, at);
    const target = clean(mount.destination);
    if (isRoot(target)) settings.propagation = [];
    if (settings.bind) {
      ops.push(bindOp(mount, settings, options.bundle, target, at, slots.get(i) ?? -1));
    } else if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
      ops.push(...cgroupMountOps(facts, view, { mount, settings, target, at }));
    } else {
      ops.push(fsOp(mount, settings, options.bundle, target, at));
    }
  });
  return ops;
}

/**
 * Bind sources and the rootfs that the runtime opens, because root of a new user namespace may not be able to walk to
 * them. An ordinary user opens nothing that his container's root could not open itself.
 */
export function openTreeOps(
  spec: Spec,
  facts: HostFacts,
  options: CompileOptions,
  rootfs: string,
): { ops: Op[]; slots: Map<number, number>; rootSlot: number; count: number } {
  const ops: Op[] = [];
  const slots = new Map<number, number>();
  // In a mount namespace that is joined, paths are those of its tree.
  const ours = !(joinedNamespaces(spec) & CLONE_NEWNS);
  if (facts.rootless || !hasUserNamespace(spec) || !ours) return { ops, slots, rootSlot: -1, count: 0 };
  ops.push({ op: 'openTree', at: '/root/path', source: rootfs, recursive: 1, slot: 0 });
  spec.mounts?.forEach((mount, i) => {
    const { bind, recursiveBind } = mountSettings(mount, `/mounts/${i}`);
    if (!bind) return;
    const slot = slots.size + 1;
    slots.set(i, slot);
    ops.push({
      op: 'openTree',
      at: `/mounts/${i}/source`,
      source: sourcePath(mount, options.bundle),
      recursive: recursiveBind ? 1 : 0,
      slot,
    });
  });
  return { ops, slots, rootSlot: 0, count: ops.length };
}

/** Whether a destination is the root itself, so that what is mounted there makes the container's root. */
export function isRoot(destination: string): boolean {
  return /^[./]*$/.test(destination) && destination.split('/').every((p) => p.length < 3);
}

function sourcePath(mount: Mount, bundle: string): string {
  const source = mount.source ?? '';
  return source.startsWith('/') ? source : `${bundle}/${source}`;
}

function bindOp(mount: Mount, s: MountSettings, bundle: string, target: string, at: string, slot: number): Op {
  return {
    op: 'mountBind',
    at,
    target,
    source: sourcePath(mount, bundle),
    slot,
    recursive: s.recursiveBind ? 1 : 0,
    setAttrs: s.setAttrs,
    clearAttrs: s.clearAttrs,
    setAttrsRec: s.setAttrsRec,
    clearAttrsRec: s.clearAttrsRec,
    propagation: s.propagation,
  };
}

function fsOp(mount: Mount, s: MountSettings, bundle: string, target: string, at: string): Op {
  const fstype = mount.type ?? '';
  const hasMode = s.data.some((d) => d.startsWith('mode='));
  return {
    op: 'mountFs',
    at,
    target,
    fstype,
    source: mount.source ?? fstype,
    options: fstype === 'overlay' ? overlayOptions(s.data, bundle) : s.data,
    // On a mount of its own there is nothing below: recursive and plain attributes come to the same.
    attrs: (s.setAttrs | s.setAttrsRec) >>> 0,
    propagation: s.propagation,
    inheritMode: fstype === 'tmpfs' && !hasMode ? 1 : 0,
  };
}

/** Reads the options of one mount. @throws RuntError ERR_UNSUPPORTED for what comes later */
export function mountSettings(mount: Mount, at: string): MountSettings {
  const s: MountSettings = {
    bind: mount.type === 'bind',
    recursiveBind: false,
    setAttrs: 0,
    clearAttrs: 0,
    setAttrsRec: 0,
    clearAttrsRec: 0,
    propagation: [],
    data: [],
  };
  for (const key of ['uidMappings', 'gidMappings'] as const) {
    if (mount[key]) throw unsupported(`${at}/${key}`, mount[key], 'idmapped mounts');
  }
  let readOnly = false;
  const flags: string[] = [];
  mount.options?.forEach((name, i) => {
    const where = `${at}/options/${i}`;
    const option = mountOption(name);
    switch (option?.kind) {
      case undefined:
        s.data.push(name);
        break;
      case 'none':
        break;
      case 'bind':
        s.bind = true;
        s.recursiveBind = option.recursive;
        break;
      case 'propagation':
        s.propagation.push(String(option.flags));
        break;
      case 'attr':
        if (option.recursive) {
          s.setAttrsRec = (s.setAttrsRec & ~option.clear) | option.set;
          s.clearAttrsRec = (s.clearAttrsRec & ~option.set) | option.clear;
        } else {
          s.setAttrs = (s.setAttrs & ~option.clear) | option.set;
          s.clearAttrs = (s.clearAttrs & ~option.set) | option.clear;
          if (option.superblock) readOnly = option.superblock === 'ro';
        }
        break;
      case 'superblock':
        if (option.key === undefined) throw unsupported(where, name, `mount option ${name}`);
        flags.push(option.key);
        break;
      default:
        throw unsupported(where, name, `mount option ${name}`);
    }
  });
  if (s.bind) {
    if (s.data.length || flags.length) {
      const name = (s.data[0] ?? flags[0]) as string;
      throw unsupported(
        `${at}/options/${mount.options?.indexOf(name) ?? 0}`,
        name,
        `mount option ${name} on a bind mount`,
      );
    }
  } else {
    s.data = [...(readOnly ? ['ro'] : []), ...flags, ...s.data];
  }
  return s;
}
