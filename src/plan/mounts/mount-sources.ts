/** Slots of mounts: bind sources and the rootfs, opened before the root is attached, and id maps. */
import type { IdMapping, Mount, Spec } from '../../spec/config-types.js';
import { isRoot } from '../../spec/mount-options.js';
import { RuntError } from '../../sys/error.js';
import { CLONE_NEWNS } from '../../sys/linux.js';
import { cleanPath, isClean } from '../container-path.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { mapLines, relativeRanges } from '../ids/id-map-lines.js';
import {
  hasMountNamespace,
  hasUserNamespace,
  joinedNamespaces,
  newNamespaces,
} from '../namespaces/namespace-compile.js';
import type { OpMaker } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { unsupportedError } from '../unsupported-values.js';
import { type MountKind, type MountSettings, mountKinds } from './mount-settings.js';
import { NO_SLOT, SOURCE } from './mount-text.js';
import { lowerLayers } from './overlay-options.js';

/** A lower layer of an overlay whose ids are mapped: its path on the host, and the slot of the tree. */
interface MappedLayer {
  readonly path: string;
  readonly slot: number;
}

export interface Trees {
  readonly ops: Op[];
  /** The kind of each mount, in order. */
  readonly kinds: readonly MountKind[];
  /** The destinations that are not clean, cleaned, by the index of the mount. */
  readonly cleaned: ReadonlyMap<number, string>;
  /** The indices of the mounts on `/`. */
  readonly roots: ReadonlySet<number>;
  /** The slot of each mount's bind source, in order; NO_SLOT for none, and until those of `sources` are known. */
  readonly binds: Int32Array;
  /** The absolute paths of relative bind sources, by the index of the mount. */
  readonly relative: ReadonlyMap<number, string>;
  /** Id-mapped lower layers of overlays, uppermost first, by the index of the mount. */
  readonly layers: ReadonlyMap<number, readonly MappedLayer[]>;
  /** Slots of user namespaces with the id maps that runt-init uses, by the index of the mount. */
  readonly maps: ReadonlyMap<number, number>;
  /** The indices of the mounts whose bind source runt-init clones. Its slot follows those that the runtime fills. */
  readonly sources: readonly number[];
  /** Of these, the ones whose source may be missing until an earlier mount makes it. */
  readonly optional: ReadonlySet<number>;
  /** Paths in the container of bind sources that earlier mounts made or cover, by the index of the mount. */
  readonly inside: ReadonlyMap<number, string>;
  /** Slot of the rootfs; absent if runt-init opens it. */
  readonly rootSlot: number | undefined;
  /** Slots in use. */
  readonly count: number;
}

/**
 * Bind sources and the rootfs that the runtime opens. Root of a new user namespace may lack search permission for their
 * paths, or only the runtime may map their ids, or the container's mount namespace never has them (`template`). An
 * ordinary user may not clone mounts: runt-init does, while it still has the user's ids (`opensAsCaller`).
 * @throws RuntError ERR_UNSUPPORTED for a mount whose ids the kernel would not map; ERR_SPEC_VALUE
 */
export function treeOps(
  spec: Spec,
  facts: HostFacts,
  options: CompileOptions,
  rootfs: string,
  template: boolean,
): Trees {
  const ops: Op[] = [];
  const layers = new Map<number, readonly MappedLayer[]>();
  const maps = new Map<number, number>();
  const inside = new Map<number, string>();
  const namespaces = new Map<string, number>();
  const sources: number[] = [];
  const optionals = new Set<number>();
  const { mounts = [] } = spec;
  const { bundle } = options;
  const kinds = mountKinds(mounts);
  const binds = new Int32Array(mounts.length).fill(NO_SLOT);
  const { cleaned, roots } = targetsOf(mounts);
  const relative = new Map<number, string>();
  const earlier = new EarlierTargets(mounts, kinds, cleaned);
  const clones = hasMountNamespace(spec);
  const inRootfs = new Below(cleanPath(rootfs));
  // In a joined mount namespace, paths are those of its tree.
  const joinsMounts = (joinedNamespaces(spec) & CLONE_NEWNS) !== 0;
  const inUserNamespace = hasUserNamespace(spec);
  const byRuntime = template || (!joinsMounts && inUserNamespace && clonesMounts(facts));
  const clonesAll = clones && !byRuntime;
  const rootName = inRootfs.name;
  let count = 0;
  if (byRuntime)
    ops.push({
      op: 'openTree',
      at: '/root/path',
      source: rootfs,
      recursive: true,
      nofollow: false,
      optional: false,
      slot: count++,
    });
  // A loop with few calls and objects, and without closures: a config may have thousands of mounts.
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    const s = (kinds[i] as MountKind).settings;
    const { source: named = '' } = mount;
    const mapped = s.idmap !== undefined || ((mount.uidMappings ?? mount.gidMappings) !== undefined && isMapped(mount));
    // Nearly all binds: absolute, and with no directory of the rootfs's name.
    if (clonesAll && !mapped && s.bind && !s.remount && named.startsWith('/') && !named.includes(rootName)) {
      sources[sources.length] = i;
      continue;
    }
    if ((!mapped && !byRuntime && !s.bind) || s.remount) continue;
    const isAbsolute = named.startsWith('/');
    const source = isAbsolute ? named : `${bundle}/${named}`;
    if (!isAbsolute) relative.set(i, source);
    const below = source.includes(rootName) && inRootfs.has(source);
    const optional = !mapped && below;
    // In a user namespace only the runtime may map ids, and it does not see the container's mounts.
    const path = clones && below ? inRootfs.rest(source) : '';
    const isInside = path !== '' && !(mapped && inUserNamespace) && earlier.reach(i, path, s.recursiveBind);
    if (s.bind && isInside) inside.set(i, path);
    if (s.bind && isInside && !mapped) continue;
    if (!mapped && !byRuntime) {
      if (!clones) continue;
      sources[sources.length] = i;
      if (optional) optionals.add(i);
      continue;
    }
    const at = `/mounts/${i}`;
    // The runtime maps a bind. runt-init maps another file system: it is root of the host only without a user
    // namespace, and the kernel requires control over the maps.
    if (mapped && s.bind && joinsMounts)
      throw unsupportedError(at, mount, 'an id-mapped bind in a mount namespace that is joined');
    const lower = mapped && !s.bind ? lowerToMap(mount, s) : undefined;
    const ofHost = s.bind || lower !== undefined;
    if (mapped && (ofHost ? facts.rootless : inUserNamespace)) throw unmappableError(mount, s.bind, at);
    let namespace = -1;
    if (mapped) {
      const op = namespaceOf(spec, mount, s.idmap?.ranges, at);
      const key = JSON.stringify([op.path, op.uids, op.gids]);
      namespace = namespaces.get(key) ?? count;
      if (namespace === count) ops.push({ ...op, slot: count++ });
      namespaces.set(key, namespace);
    }
    if (lower) {
      const opened: MappedLayer[] = [];
      for (const name of lower) {
        const path = name.startsWith('/') ? name : `${bundle}/${name}`;
        const tree = count++;
        ops.push({ op: 'openTree', at, source: path, recursive: false, nofollow: false, optional: false, slot: tree });
        ops.push({ op: 'idMapTree', at, source: path, tree, recursive: false, slot: namespace });
        opened.push({ path, slot: tree });
      }
      layers.set(i, opened);
      continue;
    }
    if (!s.bind || isInside) {
      if (mapped) maps.set(i, namespace);
      continue;
    }
    const tree = count++;
    binds[i] = tree;
    ops.push({ op: 'openTree', ...sourceFields(i, source, s, optional), slot: tree });
    if (mapped)
      ops.push({ op: 'idMapTree', at, source, tree, recursive: s.idmap?.recursive ?? false, slot: namespace });
  }
  return {
    ops,
    kinds,
    cleaned,
    roots,
    binds,
    relative,
    layers,
    maps,
    sources,
    optional: optionals,
    inside,
    rootSlot: byRuntime ? 0 : undefined,
    count,
  };
}

const sourceFields = (i: number, source: string, s: MountSettings, optional: boolean) => ({
  at: `/mounts/${i}/source`,
  source,
  recursive: s.recursiveBind,
  nofollow: s.sourceNofollow || s.copySymlink,
  optional,
});

/** The operations with which runt-init clones bind sources, by their place in `sources`. */
export function sourceMaker(mounts: readonly Mount[], trees: Trees): OpMaker {
  const { kinds, sources, relative, optional, binds } = trees;
  const sourceOf = (i: number): string => relative.get(i) ?? (mounts[i]?.source as string);
  return {
    by: 'init',
    op: (n) => {
      const i = sources[n] as number;
      const s = (kinds[i] as MountKind).settings;
      return { op: 'cloneSource', ...sourceFields(i, sourceOf(i), s, optional.has(i)), slot: binds[i] as number };
    },
    encode: (index, count, at, w) => {
      const some = optional.size > 0 ? optional : undefined;
      const own = relative.size > 0 ? relative : undefined;
      const texts: string[] = [];
      let { slots } = w;
      for (let n = 0; n < count; n++) {
        const i = sources[index + n] as number;
        const s = (kinds[i] as MountKind).settings;
        const source = own?.get(i) ?? (mounts[i] as Mount).source;
        const slot = binds[i] as number;
        const recursive = s.recursiveBind ? '\x001\0' : '\x000\0';
        const nofollow = s.sourceNofollow || s.copySymlink ? '1\0' : '0\0';
        texts[n] = `${SOURCE}${at + n}\0${source}${recursive}${nofollow}${some?.has(i) ? 1 : 0}\0${slot}\0`;
        if (slot >= slots) slots = slot + 1;
      }
      w.slots = slots;
      w.fields += 7 * count;
      return texts.join('');
    },
  };
}

const isMapped = ({ uidMappings, gidMappings }: Mount): boolean =>
  (uidMappings !== undefined && uidMappings.length > 0) || (gidMappings !== undefined && gidMappings.length > 0);

/** The clean destinations of mounts, and which of them are on `/`. */
function targetsOf(mounts: readonly Mount[]): { cleaned: Map<number, string>; roots: Set<number> } {
  // Nearly all destinations are clean: a list of all would be the second one.
  const cleaned = new Map<number, string>();
  const roots = new Set<number>();
  for (let i = 0; i < mounts.length; i++) {
    const { destination } = mounts[i] as Mount;
    if (isClean(destination)) continue;
    cleaned.set(i, cleanPath(destination));
    if (isRoot(destination)) roots.add(i);
  }
  return { cleaned, roots };
}

/** The lower layers of an id-mapped overlay, which rules/mount-rules.ts lets be one `lowerdir`. */
function lowerToMap({ type }: Mount, { data }: MountSettings): string[] | undefined {
  if (type !== 'overlay') return undefined;
  return data
    .flatMap((option) => (option.startsWith('lowerdir=') ? lowerLayers(option.slice(9)) : []))
    .map((l) => l.path);
}

/** Whether the runtime itself may clone mounts with open_tree(2). */
export const clonesMounts = (facts: HostFacts): boolean => !facts.oldMounts && (!facts.rootless || facts.mayClone());

/**
 * Whether runt-init clones the rootfs and the sources before it switches to the ids of the container's root, which may
 * differ from the caller's. So it can search a directory that only its owner (0700) or a group of the caller may
 * search. Without open_tree(2) it cannot: it then has no id with which it could make the clone's directory.
 */
export const opensAsCaller = (spec: Spec, facts: HostFacts, trees: Trees): boolean =>
  !facts.oldMounts &&
  trees.rootSlot === undefined &&
  hasUserNamespace(spec) &&
  (newNamespaces(spec) & CLONE_NEWNS) !== 0;

/** Paths in the rootfs, a clean path, where an earlier mount may still create them. */
class Below {
  readonly name: string;
  private readonly start: string;

  constructor(directory: string) {
    this.name = directory.slice(directory.lastIndexOf('/') + 1);
    this.start = `${directory}/`;
  }

  has(path: string): boolean {
    return cleanPath(path).startsWith(this.start) && !path.split('/').includes('..');
  }

  /** The path below the rootfs, with a slash. */
  rest(path: string): string {
    return cleanPath(path).slice(this.start.length - 1);
  }
}

/** The mount points of the mounts before another one. */
class EarlierTargets {
  private next = 0;
  private readonly before = new Set<string>();
  /** Directories above them. */
  private readonly parents = new Set<string>();

  constructor(
    private readonly mounts: readonly Mount[],
    private readonly kinds: readonly MountKind[],
    private readonly cleaned: ReadonlyMap<number, string>,
  ) {}

  /** Whether a mount before `index` made or covers `path`, a clean one, or is below it. */
  reach(index: number, path: string, below: boolean): boolean {
    for (; this.next < index; this.next++) this.add(this.next);
    return (
      this.before.has(path) || parentsOf(path).some((p) => this.before.has(p)) || (below && this.parents.has(path))
    );
  }

  private add(index: number): void {
    const target = this.cleaned.get(index) ?? (this.mounts[index] as Mount).destination;
    if (target === '/' || (this.mounts[index]?.type === undefined && !this.kinds[index]?.settings.bind)) return;
    this.before.add(target);
    for (const parent of parentsOf(target)) this.parents.add(parent);
  }
}

/** The directories above a clean path, but for `/`. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) parents.push(path.slice(0, end));
  return parents;
}

function unmappableError(mount: Mount, bind: boolean, at: string): RuntError {
  const message = bind
    ? 'map the ids of a bind mount: the kernel lets only root of the host do so for its file systems'
    : `map the ids of a ${mount.type ?? 'mount'} in a user namespace of the container: the kernel lets only a process that controls both do so`;
  return new RuntError({ code: 'ERR_UNSUPPORTED', message, pointer: at, value: mount });
}

/** Absolute path of a mount's source; a relative one is below the bundle. */
export function sourcePath(mount: Mount, bundle: string): string {
  const source = mount.source ?? '';
  return source.startsWith('/') ? source : `${bundle}/${source}`;
}

/** The mount's own mappings, else those of its option (crun's form), else the container's. */
function namespaceOf(spec: Spec, mount: Mount, ranges: string | undefined, at: string) {
  const { linux } = spec;
  const op = (uids: IdMapping[] = [], gids: IdMapping[] = [], path?: string) =>
    ({ op: 'idMapNamespace', at, path, uids: mapLines(uids), gids: mapLines(gids) }) as const;
  if (mount.uidMappings?.length || mount.gidMappings?.length) return op(mount.uidMappings, mount.gidMappings);
  if (ranges !== undefined) {
    const { uids, gids } = relativeRanges(ranges, linux, at);
    return op(uids, gids);
  }
  const joined = linux?.namespaces?.find((n) => n.type === 'user')?.path;
  return joined ? op([], [], joined) : op(linux?.uidMappings, linux?.gidMappings);
}
