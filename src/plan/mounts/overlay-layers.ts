/** The layer of an overlay that the container writes: recorded as in use, or fresh (`X-runt.ephemeral`). */

import type { Mount, Spec } from '../../spec/config-types.js';
import { ephemeralLayer } from '../../spec/ephemeral-layer.js';
import { rootIds } from '../../spec/id-ranges.js';
import { CLONE_NEWNS, CLONE_NEWUSER } from '../../sys/linux.js';
import type { CompileOptions } from '../host-facts.js';
import { joinedNamespaces, newNamespaces } from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { mountBind, mountFs } from './mount-op.js';

/**
 * The operations that make fresh layers and record used ones, before anything else of the container exists. The paths
 * of a joined mount namespace are not the runtime's: nothing is recorded there.
 */
export function layerOps(spec: Spec, options: CompileOptions): Op[] {
  const ops: Op[] = [];
  if (joinedNamespaces(spec) & CLONE_NEWNS) return ops;
  const { mounts = [] } = spec;
  for (let index = 0; index < mounts.length; index++) {
    const mount = mounts[index] as Mount;
    if (mount.type !== 'overlay') continue;
    mount.options?.forEach((option, i) => {
      const at = `/mounts/${index}/options/${i}`;
      const layer = ephemeralLayer(option);
      if (layer?.directory !== undefined) {
        const path = freshPath(layer.directory, options, index);
        ops.push({ op: 'makeLayer', at, path, ...rootOwner(spec) });
      } else if (option.startsWith('upperdir=/')) ops.push({ op: 'claimLayer', at, path: option.slice(9) });
      else if (option.startsWith('upperdir=')) {
        ops.push({ op: 'claimLayer', at, path: `${options.bundle}/${option.slice(9)}` });
      }
    });
  }
  return ops;
}

const freshPath = (directory: string, options: CompileOptions, index: number): string =>
  `${directory}/${options.layerName ?? options.id}-${index}`;

/** The host's ids of the container's root, which must own `upper` and `work`. */
const rootOwner = (spec: Spec): { uid: number; gid: number } =>
  newNamespaces(spec) & CLONE_NEWUSER ? rootIds(spec.linux) : { uid: 0, gid: 0 };

/** What precedes an overlay whose layers are not those of its options. */
interface LayeredOverlay {
  readonly ops: Op[];
  /** The overlay's own options that still apply. */
  readonly kept: readonly string[];
  /** Options with the paths of the layers as runt-init opens them. */
  readonly layers: readonly string[];
}

/**
 * Id-mapped lower layers and a fresh layer in memory are mounted on a tmpfs on the container's root, below the overlay.
 * The kernel resolves `/..` to what is mounted over the host's root in this mount namespace: the tmpfs.
 * @param data options of the file system
 * @param mapped lower layers whose ids are mapped
 * @returns undefined if the options name all layers
 */
export function overlayLayers(
  mount: Mount,
  index: number,
  data: readonly string[],
  options: CompileOptions,
  mapped: readonly { readonly path: string; readonly slot: number }[] = [],
): LayeredOverlay | undefined {
  if (mount.type !== 'overlay') return undefined;
  const own = mount.options ?? [];
  const fresh = own.findIndex(ephemeralLayer);
  const layer = fresh < 0 ? undefined : ephemeralLayer(own[fresh]!);
  if (!layer && mapped.length === 0) return undefined;
  const kept = data.filter((d) => !ephemeralLayer(d) && !(mapped.length > 0 && d.startsWith('lowerdir=')));
  const layers = mapped.length > 0 ? [`lowerdir=${mapped.map((_, i) => `/../lower${i}`).join(':')}`] : [];
  const ops: Op[] = [];
  const at = `/mounts/${index}${layer ? `/options/${fresh}` : ''}`;
  if (layer?.size !== undefined || mapped.length > 0) {
    // Mount points alone need no more than inodes.
    const size = `size=${layer?.size ?? '4k'}`;
    ops.push(mountFs({ at, target: '/', fstype: 'tmpfs', source: 'layers', options: ['mode=0755', size], attrs: 0 }));
  }
  mapped.forEach(({ path, slot }, i) => {
    ops.push(mountBind({ at, target: `/lower${i}`, source: path, slot, recursive: false }));
  });
  if (layer?.directory !== undefined) {
    const path = freshPath(layer.directory, options, index);
    layers.push(`upperdir=${path}/upper`, `workdir=${path}/work`);
  } else if (layer) {
    ops.push({ op: 'mkdir', at, path: '/upper', mode: 0o755 }, { op: 'mkdir', at, path: '/work', mode: 0o700 });
    layers.push('upperdir=/../upper', 'workdir=/../work');
  }
  return { ops, kept, layers };
}
