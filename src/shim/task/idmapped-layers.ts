/** The layers of an overlay with other ids: id-mapped mounts of them, which are there while the overlay is mounted (mount_setattr(2)). */

import { OpFailed } from '../../container/failure/op-failed.js';
import { openIdMaps } from '../../container/launch/handlers/id-map-namespace.js';
import { check, RuntError } from '../../sys/error.js';
import { tryListDir } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE } from '../../sys/linux.js';

/** Layers of an overlay that are given as one path each in `lowerdir=`, and maps as containerd writes them: `CONTAINER:HOST:LENGTH[,…]`. */
interface IdMaps {
  readonly uidmap: string;
  readonly gidmap: string;
}

/**
 * Calls `use` with the paths of id-mapped mounts of the layers in `directory`; they are gone when it is done. An overlay keeps mounts of its own.
 * @throws RuntError ERR_MOUNT; what `use` throws
 */
export async function withIdMaps(
  layers: readonly string[],
  maps: IdMaps,
  directory: string,
  use: (mapped: readonly string[]) => void,
): Promise<void> {
  const facts = { code: 'ERR_MOUNT', message: `map the ids of the layers of ${directory}`, value: maps };
  const namespace = await namespaceOf(maps, facts);
  const points: string[] = [];
  try {
    native.mkdirAt(AT_FDCWD, directory, 0o700);
    for (const [index, layer] of layers.entries()) {
      const point = `${directory}/${index}`;
      native.mkdirAt(AT_FDCWD, point, 0o700);
      points.push(point);
      const tree = check(native.openTree(AT_FDCWD, layer, OPEN_TREE_CLONE), {
        ...facts,
        path: layer,
        syscall: 'open_tree',
      });
      try {
        check(native.idMapTree(tree, namespace, 0), { ...facts, path: layer, syscall: 'mount_setattr' });
        // Read-only: who removes the bundle of a shim that was killed here removes no layer.
        check(native.attachTree(tree, MOUNT_ATTR_RDONLY, point), { ...facts, path: point, syscall: 'move_mount' });
      } finally {
        native.close(tree);
      }
    }
    use(points);
  } finally {
    native.close(namespace);
    releaseLayers(directory);
  }
}

/** Takes away what is mounted in `directory`, and the directories; nothing of the layers. */
export function releaseLayers(directory: string): void {
  for (const name of tryListDir(directory) ?? []) {
    const point = `${directory}/${name}`;
    while (native.unmount(point) >= 0);
    native.unlinkAt(AT_FDCWD, point, AT_REMOVEDIR);
  }
  native.unlinkAt(AT_FDCWD, directory, AT_REMOVEDIR);
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
