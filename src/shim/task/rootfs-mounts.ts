/** The root file system that an engine requests as a list of mounts, each one over the one before. */
import { mountOption } from '../../spec/mount-options.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { nulList } from '../../sys/nul-list.js';
import type { types } from '../transport/protos.js';

/** Mounts the list at `target`; unmounts all of it when one mount fails. @throws RuntError ERR_MOUNT */
export async function mountRootfs(list: readonly types.Mount.$Properties[], target: string): Promise<void> {
  let done = 0;
  try {
    for (const mount of list) {
      await mountOne(mount, target);
      done++;
    }
  } catch (error) {
    while (done-- > 0) native.unmount(target);
    throw error;
  }
}

/** Unmounts everything at `target`; succeeds if nothing is mounted there. */
export function unmountRootfs(target: string): void {
  let r = 0;
  while (r >= 0) r = native.unmount(target);
  // EINVAL: not a mount point, or no longer one. EPERM: an ordinary user, who has not mounted anything here either.
  if ([E.EINVAL, E.ENOENT, E.ENOTDIR, E.EPERM].includes(-r)) return;
  check(r, { code: 'ERR_MOUNT', message: `unmount ${target}`, path: target, syscall: 'umount2' });
}

/** Options of containerd's snapshotter that map the layers' ids into the container's user namespace. */
const map = /^(uidmap|gidmap)=(.*)$/;

async function mountOne(requested: types.Mount.$Properties, target: string): Promise<void> {
  const mount = requested.type?.startsWith('mkdir/')
    ? (await import('./mount-directories.js')).makeMountDirectories(requested)
    : requested;
  const type = mount.type ?? '';
  if (type.includes('/'))
    throw new RuntError({
      code: 'ERR_UNSUPPORTED',
      message: `mount type ${type} of the root file system`,
      value: mount,
    });
  const source = mount.source ?? '';
  let attrs = 0;
  let bind = type === 'bind';
  let recursive = false;
  const data: string[] = [];
  const maps: Record<string, string> = {};
  for (const name of mount.options ?? []) {
    const [, kind, value = ''] = map.exec(name) ?? [];
    if (kind) {
      maps[kind] = value;
      continue;
    }
    const option = mountOption(name);
    if (option?.kind === 'attr') {
      attrs = (attrs & ~option.clear) | option.set;
      if (option.superblock === 'ro' && !bind) data.push('ro');
    } else if (option?.kind === 'bind') {
      bind = true;
      recursive = option.recursive;
    } else if (option === undefined) data.push(name);
    else if (option.kind === 'superblock' && option.key) data.push(option.key);
    else if (option.kind !== 'none' && option.kind !== 'propagation')
      throw new RuntError({
        code: 'ERR_UNSUPPORTED',
        message: `mount option ${name} of the root file system`,
        value: mount,
      });
  }
  const facts = { code: 'ERR_MOUNT', message: `mount ${type} on ${target}`, path: target, value: mount };
  const { uidmap, gidmap } = maps;
  if (uidmap || gidmap) {
    const at = data.findIndex((d) => d.startsWith('lowerdir='));
    const layers = data[at]?.slice('lowerdir='.length) ?? '';
    if (type !== 'overlay' || !uidmap || !gidmap || at < 0 || layers.includes('\\'))
      throw new RuntError({
        ...facts,
        code: 'ERR_UNSUPPORTED',
        message: `id maps for a root file system of type ${type}`,
      });
    const { mountIdMapped } = await import('./idmapped-layers.js');
    const options = data.filter((_, i) => i !== at);
    await mountIdMapped(
      { source: source || type, layers: layers.split(':'), options, attrs, target },
      { uidmap, gidmap },
    );
  } else if (bind) check(native.mountBind(source, recursive ? 1 : 0, attrs, target), facts);
  else check(native.mountFs(type, source || type, nulList(data), attrs, target), facts);
}
