/** Slots of mounts: bind sources and the rootfs, opened before the root is attached, and id maps. */
import type { IdMapping, Mount, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { CLONE_NEWNS } from '../../sys/linux.js';
import { cleanPath } from '../container-path.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { mapLines, relativeRanges } from '../ids/id-map-lines.js';
import {
  hasMountNamespace,
  hasUserNamespace,
  joinedNamespaces,
  newNamespaces,
} from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { unsupportedError } from '../unsupported-values.js';
import { allMountSettings, type MountSettings } from './mount-settings.js';
import { lowerLayers } from './overlay-options.js';

/** A lower layer of an overlay whose ids are mapped: its path on the host, and the slot of the tree. */
interface MappedLayer {
  readonly path: string;
  readonly slot: number;
}

/** Fields of a `cloneSource` without its slot. */
type ClonedSource = Omit<Extract<Op, { op: 'cloneSource' }>, 'op' | 'slot'>;

export interface Trees {
  readonly ops: Op[];
  /** The settings of each mount, in order. */
  readonly settings: readonly MountSettings[];
  /** Slots of bind sources, by the index of the mount. */
  readonly binds: ReadonlyMap<number, number>;
  /** Id-mapped lower layers of overlays, uppermost first, by the index of the mount. */
  readonly layers: ReadonlyMap<number, readonly MappedLayer[]>;
  /** Slots of user namespaces with the id maps that runt-init uses, by the index of the mount. */
  readonly maps: ReadonlyMap<number, number>;
  /** Bind sources that runt-init clones, by the index of the mount: their slots follow those that the runtime fills. */
  readonly sources: ReadonlyMap<number, ClonedSource>;
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
  const binds = new Map<number, number>();
  const layers = new Map<number, readonly MappedLayer[]>();
  const maps = new Map<number, number>();
  const sources = new Map<number, ClonedSource>();
  const inside = new Map<number, string>();
  const namespaces = new Map<string, number>();
  const settings = allMountSettings(spec.mounts ?? []);
  const earlier = new EarlierTargets(spec.mounts ?? [], settings);
  const clones = hasMountNamespace(spec);
  const inRootfs = `${cleanPath(rootfs)}/`;
  // In a joined mount namespace, paths are those of its tree.
  const joinsMounts = (joinedNamespaces(spec) & CLONE_NEWNS) !== 0;
  const byRuntime = template || (!joinsMounts && hasUserNamespace(spec) && clonesMounts(facts));
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
  spec.mounts?.forEach((mount, i) => {
    const s = settings[i] as MountSettings;
    const mapped =
      (mount.uidMappings?.length ?? 0) > 0 || (mount.gidMappings?.length ?? 0) > 0 || s.idmap !== undefined;
    if ((!mapped && !byRuntime && !s.bind) || s.remount) return;
    const at = `/mounts/${i}`;
    const source = sourcePath(mount, options.bundle);
    const below = isBelow(source, inRootfs);
    const open = {
      at: `${at}/source`,
      source,
      recursive: s.recursiveBind,
      nofollow: s.sourceNofollow || s.copySymlink,
      optional: !mapped && below,
    };
    // In a user namespace only the runtime may map ids, and it does not see the container's mounts.
    const path = clones && below ? cleanPath(source).slice(inRootfs.length - 1) : '';
    const isInside = path !== '' && !(mapped && hasUserNamespace(spec)) && earlier.reach(i, path, s.recursiveBind);
    if (s.bind && isInside) inside.set(i, path);
    if (s.bind && isInside && !mapped) return;
    if (!mapped && !byRuntime) {
      if (clones) sources.set(i, open);
      return;
    }
    // The runtime maps a bind. runt-init maps another file system: it is root of the host only without a user
    // namespace, and the kernel requires control over the maps.
    if (mapped && s.bind && joinsMounts)
      throw unsupportedError(at, mount, 'an id-mapped bind in a mount namespace that is joined');
    const lower = mapped && !s.bind ? lowerToMap(mount, s) : undefined;
    const ofHost = s.bind || lower !== undefined;
    if (mapped && (ofHost ? facts.rootless : hasUserNamespace(spec))) throw unmappableError(mount, s.bind, at);
    let namespace = -1;
    if (mapped) {
      const op = namespaceOf(spec, mount, s.idmap?.ranges, at);
      const key = JSON.stringify([op.path, op.uids, op.gids]);
      namespace = namespaces.get(key) ?? count;
      if (namespace === count) ops.push({ ...op, slot: count++ });
      namespaces.set(key, namespace);
    }
    if (lower) {
      const opened = lower.map((path) => {
        const layer = { path: path.startsWith('/') ? path : `${options.bundle}/${path}`, slot: count++ };
        const { path: from, slot: tree } = layer;
        ops.push({ op: 'openTree', at, source: from, recursive: false, nofollow: false, optional: false, slot: tree });
        ops.push({ op: 'idMapTree', at, source: from, tree, recursive: false, slot: namespace });
        return layer;
      });
      layers.set(i, opened);
      return;
    }
    if (!s.bind || isInside) {
      if (mapped) maps.set(i, namespace);
      return;
    }
    const tree = count++;
    binds.set(i, tree);
    ops.push({ op: 'openTree', ...open, slot: tree });
    if (mapped)
      ops.push({ op: 'idMapTree', at, source, tree, recursive: s.idmap?.recursive ?? false, slot: namespace });
  });
  return { ops, settings, binds, layers, maps, sources, inside, rootSlot: byRuntime ? 0 : undefined, count };
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

/** Whether a path is in the rootfs (its clean path with a slash), where an earlier mount may still create it. */
const isBelow = (path: string, inRootfs: string): boolean =>
  cleanPath(path).startsWith(inRootfs) && !path.split('/').includes('..');

/** The mount points of the mounts before another one. */
class EarlierTargets {
  private next = 0;
  private readonly targets = new Set<string>();
  /** Directories above them. */
  private readonly parents = new Set<string>();

  constructor(
    private readonly mounts: readonly Mount[],
    private readonly settings: readonly MountSettings[],
  ) {}

  /** Whether a mount before `index` made or covers `path`, a clean one, or is below it. */
  reach(index: number, path: string, below: boolean): boolean {
    for (; this.next < index; this.next++) this.add(this.next);
    return (
      this.targets.has(path) || parentsOf(path).some((p) => this.targets.has(p)) || (below && this.parents.has(path))
    );
  }

  private add(index: number): void {
    const { destination, type } = this.mounts[index] as Mount;
    const target = cleanPath(destination);
    if (target === '/' || (type === undefined && !this.settings[index]?.bind)) return;
    this.targets.add(target);
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
