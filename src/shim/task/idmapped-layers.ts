/** Id-mapped mounts of an overlay's layers, which exist while the overlay is being mounted (mount_setattr(2)). */

import { OpFailed } from '../../container/failure/op-failed.js';
import { openIdMaps } from '../../container/launch/handlers/id-map-namespace.js';
import { check, RuntError } from '../../sys/error.js';
import { tryListDir } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE } from '../../sys/linux.js';

/** Id maps of an overlay's lower layers, as containerd writes them: `CONTAINER:HOST:LENGTH[,…]`. */
interface IdMaps {
  readonly uidmap: string;
  readonly gidmap: string;
}

/**
 * Mounts the layers id-mapped below `directory`, calls `use` with these paths, and unmounts them. An overlay that `use`
 * mounts holds private mounts of its layers, so it outlives them.
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
        // Read-only: if the shim is killed here, removing the bundle must not remove files of the layer.
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

/** Unmounts everything below `directory` and removes the mount points; the layers stay as they are. */
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
