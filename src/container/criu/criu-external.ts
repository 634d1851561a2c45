/** The resources of a container that are external to criu: bind mounts, joined namespaces, stdio. */

import { cleanPath } from '../../plan/container-path.js';
import { mountSettings } from '../../plan/mounts/mount-settings.js';
import { sourcePath } from '../../plan/mounts/mount-sources.js';
import type { Mount, Spec } from '../../spec/config-types.js';
import { ephemeralLayer } from '../../spec/ephemeral-layer.js';
import { isRoot } from '../../spec/mount-options.js';
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';

/** A bind mount of the config. */
export interface Bind {
  readonly at: string;
  readonly destination: string;
  /** Absolute path on the host. */
  readonly source: string;
  /** Its name in the images. */
  readonly name: string;
  /** Includes the mounts below the source. */
  readonly recursive: boolean;
}

/** Name of the mount at a destination. Only letters and digits, because another program parses it (CVE-2026-115520). */
export function mountName(destination: string): string {
  return `m${[...host.encode(cleanPath(destination))].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
}

/** The bind mounts of a config, and the devices that are bind mounts because mknod(2) is not possible. */
export function bindMounts(spec: Spec, bundle: string): Bind[] {
  const binds = (spec.mounts ?? []).flatMap((mount, i): Bind[] => {
    const settings = mountSettings(mount);
    if (!settings.bind || settings.remount || isRoot(mount.destination)) return [];
    const destination = cleanPath(mount.destination);
    const { recursiveBind: recursive } = settings;
    return [
      { at: `/mounts/${i}`, destination, source: sourcePath(mount, bundle), name: mountName(destination), recursive },
    ];
  });
  const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];
  for (const { path } of spec.linux?.devices ?? [])
    if (!devices.includes(cleanPath(path))) devices.push(cleanPath(path));
  // Without a user namespace, devices are nodes in the container's own /dev.
  if (!spec.linux?.namespaces?.some((n) => n.type === 'user')) return binds;
  const taken = new Set(binds.map((b) => b.destination));
  return [
    ...binds,
    ...devices
      .filter((d) => !taken.has(d))
      .map((d) => ({ at: '/linux/devices', destination: d, source: d, name: mountName(d), recursive: false })),
  ];
}

/** A mount of one hierarchy of cgroup v1, below a mount of type `cgroup`. */
interface HierarchyMount extends Bind {
  /** A hierarchy that is not shown has no mount of its own. */
  readonly ownMount: true;
}

/**
 * The mounts that a `cgroup` mount makes on v1. To criu, the tmpfs with its links is the container's, and each
 * hierarchy the host's, with or without a cgroup namespace.
 * @param shown each hierarchy's path below the destination, and the host directory that the container sees there
 */
export function cgroupMounts(spec: Spec, shown: readonly { directory: string; source: string }[]): HierarchyMount[] {
  return (spec.mounts ?? []).flatMap((mount, i) =>
    mount.type !== 'cgroup'
      ? []
      : shown.map(({ directory, source }): HierarchyMount => {
          const destination = `${cleanPath(mount.destination)}/${directory}`;
          const name = mountName(destination);
          return { at: `/mounts/${i}`, destination, source, name, recursive: false, ownMount: true };
        }),
  );
}

/** Refuses a config that neither criu nor runt can restore. @throws RuntError ERR_UNSUPPORTED with the pointer */
export function refuseUnrestorable(what: string, spec: Spec): void {
  const refuse = (pointer: string, why: string, value?: unknown): never => {
    throw new RuntError({
      code: 'ERR_UNSUPPORTED',
      message: `${what}: ${why}`,
      pointer,
      ...(value !== undefined && { value }),
    });
  };
  spec.mounts?.forEach((mount: Mount, i) => {
    if (mount.uidMappings || mountSettings(mount).idmap)
      refuse(`/mounts/${i}`, 'criu cannot restore an id-mapped mount');
    const layer = mount.options?.findIndex(ephemeralLayer) ?? -1;
    if (layer >= 0) {
      const why =
        'a fresh layer (X-runt.ephemeral) is removed with its container, and the images do not have its files';
      refuse(`/mounts/${i}/options/${layer}`, why, mount.options?.[layer]);
    }
  });
  spec.linux?.namespaces?.forEach(({ type, path }, i) => {
    if (path && ['mount', 'cgroup', 'user'].includes(type)) {
      refuse(`/linux/namespaces/${i}/path`, `criu cannot restore into a ${type} namespace that exists already`, path);
    }
  });
  if (spec.linux?.intelRdt) refuse('/linux/intelRdt', 'Intel RDT cannot be restored by this version of runt');
  if (Object.keys(spec.linux?.netDevices ?? {}).length > 0) {
    refuse('/linux/netDevices', 'network devices of the host that were moved cannot be restored');
  }
}

/** Namespaces joined by path that are external to criu, with criu's keys. It joins the other types by itself. */
export const externalNamespaces: Readonly<Record<string, { readonly proc: string; readonly key: string }>> = {
  network: { proc: 'net', key: 'extRootNetNS' },
  pid: { proc: 'pid', key: 'extRootPidNS' },
};

/** One line of /proc/PID/mountinfo. */
interface MountLine {
  readonly id: string;
  /** Mount point, as that process sees it. */
  readonly point: string;
  /** The device of the mounted file system, and the path in it. */
  readonly shows: string;
}

/** The mounts in /proc/PID/mountinfo, in its order. */
export function mountLines(mountinfo: string): MountLine[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [id, , device, root, point] = line.split(' ');
    if (!id || !point) return [];
    return [{ id, point: unescaped(point), shows: `${device} ${root}` }];
  });
}

/** The kernel escapes blanks and the like as octal bytes; the rest of the text is decoded already. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, o) => String.fromCharCode(parseInt(o, 8)));

/** A host mount below the source of a recursive bind, and so below its destination. */
export interface Submount extends Bind {
  readonly shows: string;
}

/**
 * The submounts of recursive binds, which must be named to criu. Otherwise it would dump them as the container's own,
 * or refuse the checkpoint.
 * @param host the mounts that this process sees
 * @param real resolves symbolic links in a source; '' if it does not exist
 */
export function submounts(
  binds: readonly Bind[],
  host: readonly MountLine[],
  real: (source: string) => string,
): Submount[] {
  const found = new Map<string, Submount>();
  for (const bind of binds.filter((b) => b.recursive)) {
    const source = real(bind.source);
    if (source === '') continue;
    const below = source === '/' ? '/' : `${source}/`;
    for (const { point, shows } of host) {
      if (!point.startsWith(below) || point === source) continue;
      const destination = `${bind.destination}/${point.slice(below.length)}`;
      // The config's own mount covers it. Of two mounts on one point the last one is visible.
      if (binds.some((b) => b.destination === destination)) continue;
      found.set(destination, { ...bind, destination, source: point, name: mountName(destination), shows });
    }
  }
  return [...found.values()];
}

/** Id of the mount that a descriptor's file is on: `mnt_id` of /proc/PID/fdinfo/N; '' if it has none. */
export const mountIdOf = (fdinfo: string): string => /^mnt_id:\s*([0-9]+)$/m.exec(fdinfo)?.[1] ?? '';

/** criu's name for a file outside the container's mounts. */
export const fileKey = (mountId: string, inode: bigint): string =>
  `file[${Number(mountId).toString(16)}:${inode.toString(16)}]`;

/** Whether a key of `descriptors.json` is safe to inherit: images, and so the file, may come from anyone. */
export const isInheritable = (key: unknown): key is string =>
  typeof key === 'string' && /^(?:(?:pipe|socket):\[[0-9]{1,20}\]|file\[[0-9a-f]{1,16}:[0-9a-f]{1,16}\])$/.test(key);
