/** What of a container criu leaves to others: bind mounts, joined namespaces, stdio. Names are opaque: never a path in another's grammar (CVE-2026-115520). */

import { clean } from '../../plan/container-path.js';
import { isRoot } from '../../plan/mounts/mount-compile.js';
import { mountSettings } from '../../plan/mounts/mount-settings.js';
import { sourcePath } from '../../plan/mounts/mount-sources.js';
import type { Mount, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';

/** A bind mount of the config. */
export interface Bind {
  readonly at: string;
  readonly destination: string;
  /** Absolute path on the host. */
  readonly source: string;
  /** Its name in the image. */
  readonly name: string;
  /** With what is mounted below the source. */
  readonly recursive: boolean;
}

/** The name of the mount at a destination: the same for the same one, and made of letters and digits alone. */
export function mountName(destination: string): string {
  return `m${[...host.encode(clean(destination))].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
}

/** The bind mounts of a config, and the devices that are binds where no node can be made. */
export function bindMounts(spec: Spec, bundle: string): Bind[] {
  const binds = (spec.mounts ?? []).flatMap((mount, i): Bind[] => {
    const settings = mountSettings(mount);
    if (!settings.bind || settings.remount || isRoot(mount.destination)) return [];
    const destination = clean(mount.destination);
    const { recursiveBind: recursive } = settings;
    return [
      { at: `/mounts/${i}`, destination, source: sourcePath(mount, bundle), name: mountName(destination), recursive },
    ];
  });
  const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];
  for (const { path } of spec.linux?.devices ?? []) if (!devices.includes(clean(path))) devices.push(clean(path));
  // Without a user namespace they are nodes of the container's own /dev.
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
  /** A hierarchy that is not shown has no mount of its own there. */
  readonly ownMount: true;
}

/**
 * What a mount of type `cgroup` consists of on v1: criu takes the tmpfs with its links for the container's, and each
 * hierarchy for the host's, with or without a cgroup namespace.
 * @param shown where each is below the destination, and what of it the container sees: a directory of the host
 */
export function cgroupMounts(spec: Spec, shown: readonly { directory: string; source: string }[]): HierarchyMount[] {
  return (spec.mounts ?? []).flatMap((mount, i) =>
    mount.type !== 'cgroup'
      ? []
      : shown.map(({ directory, source }): HierarchyMount => {
          const destination = `${clean(mount.destination)}/${directory}`;
          const name = mountName(destination);
          return { at: `/mounts/${i}`, destination, source, name, recursive: false, ownMount: true };
        }),
  );
}

/**
 * Refuses what neither criu nor runt can bring back.
 * @throws RuntError ERR_UNSUPPORTED with the pointer
 */
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
  });
  spec.linux?.namespaces?.forEach(({ type, path }, i) => {
    if (path && ['mount', 'cgroup', 'user'].includes(type)) {
      refuse(`/linux/namespaces/${i}/path`, `criu cannot restore into a ${type} namespace that is there already`, path);
    }
  });
  if (spec.linux?.intelRdt) refuse('/linux/intelRdt', 'Intel RDT cannot be restored by this version of runt');
  if (Object.keys(spec.linux?.netDevices ?? {}).length > 0) {
    refuse('/linux/netDevices', 'network devices of the host that were moved cannot be restored');
  }
}

/** The namespaces joined by path that criu takes as external, with the key that it knows each by; the others it joins itself. */
export const externalNamespaces: Readonly<Record<string, { readonly proc: string; readonly key: string }>> = {
  network: { proc: 'net', key: 'extRootNetNS' },
  pid: { proc: 'pid', key: 'extRootPidNS' },
};

/** One line of /proc/PID/mountinfo. */
interface MountLine {
  readonly id: string;
  /** Where it is, as that process sees it. */
  readonly point: string;
  /** What it shows: the file system's device, and the path in that. */
  readonly shows: string;
}

/** The mounts of /proc/PID/mountinfo, in its order. */
export function mountLines(mountinfo: string): MountLine[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [id, , device, root, point] = line.split(' ');
    if (!id || !point) return [];
    return [{ id, point: unescaped(point), shows: `${device} ${root}` }];
  });
}

/** The kernel writes blanks and the like as octal bytes; the rest of the text is decoded already. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, o) => String.fromCharCode(parseInt(o, 8)));

/** A mount of the host below the source of a recursive bind, and so below its destination. */
export interface Submount extends Bind {
  readonly shows: string;
}

/**
 * What the recursive binds bring along, each to be named to criu, which takes it for the container's own otherwise: its files would be
 * in the images, or the checkpoint refused.
 * @param host the mounts that this process sees
 * @param real the path of a source without symbolic links; '' when it is not there
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
      // The config's own mount there lies above it. Of two on one point the last one is seen.
      if (binds.some((b) => b.destination === destination)) continue;
      found.set(destination, { ...bind, destination, source: point, name: mountName(destination), shows });
    }
  }
  return [...found.values()];
}

/** What a descriptor's file is: `mnt_id` of /proc/PID/fdinfo/N; '' when it has none. */
export const mountIdOf = (fdinfo: string): string => /^mnt_id:\s*([0-9]+)$/m.exec(fdinfo)?.[1] ?? '';

/** criu's name for a file outside of the container's mounts. */
export const fileKey = (mountId: string, inode: bigint): string =>
  `file[${Number(mountId).toString(16)}:${inode.toString(16)}]`;

/** A key in `descriptors.json` that may be inherited: the file comes with an image, which may be anyone's. */
export const isInheritable = (key: unknown): key is string =>
  typeof key === 'string' && /^(?:(?:pipe|socket):\[[0-9]{1,20}\]|file\[[0-9a-f]{1,16}:[0-9a-f]{1,16}\])$/.test(key);
