/** The container's directory in each hierarchy: `linux.cgroupsPath`, resolved as runc's cgroupfs driver does. */
import { RuntError } from '../sys/error.js';
import type { CgroupFacts, V1Hierarchy } from './cgroup-facts.js';

/** The container's cgroup in one hierarchy. */
interface V1Path {
  readonly hierarchy: V1Hierarchy;
  /** Absolute directory. */
  readonly path: string;
  /** Whether the runtime can make it. False only for a rootless runtime. */
  readonly writable: boolean;
}

/** The cgroup that a mount of this hierarchy shows: the container's, or the runtime's if the container has none. */
export const shownCgroup = ({ hierarchy, path, writable }: V1Path): string =>
  writable ? path : `${hierarchy.mountPoint}${hierarchy.own === '/' ? '' : hierarchy.own}`;

export interface CgroupPaths {
  readonly v1: readonly V1Path[];
  /** Present on v2, and on hybrid beside the v1 hierarchies. */
  readonly unified?: { readonly mountPoint: string; readonly path: string; readonly writable: boolean };
}

interface CgroupPathOptions {
  /** `facts.rootless`: a cgroup that is not writable may be left out. */
  readonly rootless: boolean;
  /**
   * Whether a directory can be made or used at this path. Called only if rootless: `cgroupWritable`, or a test's own.
   */
  readonly isWritable?: (path: string) => boolean;
  /**
   * The parent, below the mount point, of a v2 cgroup for which the config has no path. Called only for that case; if
   * absent, the parent of `own`.
   */
  readonly defaultParent?: (mountPoint: string, own: string) => string;
}

/**
 * An absolute path is below the mount point of each hierarchy, a relative one below the runtime's own cgroup. Without a
 * path, it is `id`, relative. On v2 the base is the parent of the own cgroup: a cgroup with processes cannot enable
 * controllers for its children (cgroups(7), "no internal processes"), but a sibling can have them (runc, fs2). With
 * root and without a path, the base is `defaultParent`. Named hierarchies other than systemd's belong to other managers
 * and are left alone.
 * @throws RuntError ERR_CGROUP_PATH for `..` and for the root cgroup itself
 */
export function cgroupPaths(
  facts: CgroupFacts,
  cgroupsPath: string | undefined,
  id: string,
  options: CgroupPathOptions,
): CgroupPaths {
  const requested = cgroupsPath || id;
  const parts = requested.split('/').filter((p) => p !== '' && p !== '.');
  if (parts.length === 0 || parts.includes('..')) {
    throw new RuntError({
      code: 'ERR_CGROUP_PATH',
      message: parts.length === 0 ? 'the cgroup path names the root cgroup' : 'the cgroup path has ".." in it',
      ...(cgroupsPath ? { pointer: '/linux/cgroupsPath', value: cgroupsPath } : { path: id }),
      see: 'runtime-spec config-linux.md#cgroups-path',
    });
  }
  const relative = parts.join('/');
  const absolute = requested.startsWith('/');
  const isWritable = (path: string) => !options.rootless || (options.isWritable?.(path) ?? true);
  const pathIn = (mountPoint: string, own: string) =>
    absolute || own === '/' ? `${mountPoint}/${relative}` : `${mountPoint}${own}/${relative}`;

  const v1 = facts.v1
    .filter((h) => h.name === undefined || h.name === 'systemd')
    .map((hierarchy) => {
      const path = pathIn(hierarchy.mountPoint, hierarchy.own);
      return { hierarchy, path, writable: isWritable(path) };
    });
  if (!facts.unified) return { v1 };
  const { mountPoint, own } = facts.unified;
  const defaultParent = cgroupsPath || options.rootless ? undefined : options.defaultParent;
  const path = pathIn(mountPoint, facts.layout === 'v2' ? (defaultParent?.(mountPoint, own) ?? parentOf(own)) : own);
  return { v1, unified: { mountPoint, path, writable: isWritable(path) } };
}

/** The runtime's own cgroups, not writable: a container without cgroups of its own stays in them. */
export function ownCgroups({ v1, unified }: CgroupFacts): CgroupPaths {
  const pathIn = (mountPoint: string, own: string) => (own === '/' ? mountPoint : `${mountPoint}${own}`);
  const writable = false;
  return {
    v1: v1.map((hierarchy) => ({ hierarchy, path: pathIn(hierarchy.mountPoint, hierarchy.own), writable })),
    ...(unified && {
      unified: { mountPoint: unified.mountPoint, path: pathIn(unified.mountPoint, unified.own), writable },
    }),
  };
}

/** Every directory made for the container: `delete` removes them and `state.json` records them. */
export function cgroupDirectories(paths: CgroupPaths): string[] {
  const all = paths.v1.filter((p) => p.writable).map((p) => p.path);
  if (paths.unified?.writable) all.push(paths.unified.path);
  return all;
}

/**
 * The file in which the kernel counts the OOM kills of these cgroups; empty if there is none. systemd removes the
 * cgroup of `unit` as soon as it is empty. So `/./` before it marks its parent, which counts these kills too and stays.
 */
export function oomFile(paths: CgroupPaths, unit?: string): string {
  const memory = paths.v1.find((p) => p.writable && p.hierarchy.controllers.includes('memory'));
  if (memory) return `${memory.path}/memory.oom_control`;
  if (paths.v1.length > 0 || !paths.unified?.writable) return '';
  return `${unit ? paths.unified.path.replace(`/${unit}`, `/./${unit}`) : paths.unified.path}/memory.events`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
