/** An overlay whose lower layers have other ids (mount_setattr(2)), without a mount of them that others see. */

import { OpFailed } from '../../container/failure/op-failed.js';
import { openIdMaps } from '../../container/launch/handlers/id-map-namespace.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, OPEN_TREE_CLONE } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';

/** Id maps of an overlay's lower layers, as containerd writes them: `CONTAINER:HOST:LENGTH[,…]`. */
interface IdMaps {
  readonly uidmap: string;
  readonly gidmap: string;
}

interface Overlay {
  readonly source: string;
  /** Directories, the uppermost first. */
  readonly layers: readonly string[];
  /** Options of the file system, without `lowerdir`. */
  readonly options: readonly string[];
  /** MOUNT_ATTR_*. */
  readonly attrs: number;
  /** Absolute path of the mount point. */
  readonly target: string;
}

/**
 * Mounts the overlay. Its id-mapped layers are never attached to this mount namespace, so that nothing of them is left
 * whenever this process is killed. @throws RuntError ERR_MOUNT
 */
export async function mountIdMapped(overlay: Overlay, maps: IdMaps): Promise<void> {
  const { source, layers, options, attrs, target } = overlay;
  const facts = { code: 'ERR_MOUNT', message: `map the ids of the layers of ${target}`, value: maps };
  const namespace = await namespaceOf(maps, facts);
  const trees: number[] = [];
  try {
    for (const layer of layers) {
      const of = { ...facts, message: `map the ids of the layer ${layer} of ${target}`, path: layer };
      const tree = check(native.openTree(AT_FDCWD, layer, OPEN_TREE_CLONE), { ...of, syscall: 'open_tree' });
      trees.push(tree);
      check(native.idMapTree(tree, namespace, 0), { ...of, syscall: 'mount_setattr' });
    }
    const mount = (hidden: 0 | 1): number =>
      native.mountOverlay(
        source,
        new Uint8Array(Int32Array.from(trees).buffer),
        nulList(options),
        attrs,
        target,
        hidden,
      );
    // Linux before 6.15 takes no descriptors of trees (EBADF), overlayfs before 6.13 none at all (EINVAL).
    const direct = mount(0);
    const mounted = direct === -E.EBADF || direct === -E.EINVAL ? mount(1) : direct;
    check(mounted, { code: 'ERR_MOUNT', message: `mount overlay on ${target}`, path: target, value: overlay });
  } finally {
    for (const fd of [namespace, ...trees]) native.close(fd);
  }
}

async function namespaceOf(maps: IdMaps, facts: { code: string; message: string }): Promise<number> {
  const lines = (map: string): string[] => map.split(',').map((triple) => triple.replaceAll(':', ' '));
  try {
    return await openIdMaps({
      op: 'idMapNamespace',
      at: '',
      path: '',
      uids: lines(maps.uidmap),
      gids: lines(maps.gidmap),
      slot: 0,
    });
  } catch (error) {
    if (!(error instanceof OpFailed)) throw error;
    const { errno, syscall, detail } = error.failed;
    throw new RuntError({ ...facts, errno, syscall, ...(detail && { path: detail }) });
  }
}
