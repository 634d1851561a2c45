/** Mounts of a config that have `noexec`. */
import type { Spec } from '../../spec/config-types.js';

/** The mount of the config that contains a path. */
interface MountOf {
  readonly index: number;
  readonly destination: string;
  readonly noexec: boolean;
  /** Source of a bind mount, and the path below it. */
  readonly source?: string;
  readonly rest: string;
}

/** The mount that contains an absolute path of the container: the deepest one, and the later of two at one path. */
export function mountOf(spec: Spec | undefined, path: string): MountOf | undefined {
  let found: MountOf | undefined;
  spec?.mounts?.forEach(({ destination, source, type, options = [] }, index) => {
    const mountPoint = `/${destination.split('/').filter(Boolean).join('/')}`;
    const below = mountPoint === '/' ? path : path.slice(mountPoint.length);
    if (!path.startsWith(mountPoint) || !below.startsWith('/') || mountPoint.length < (found?.destination.length ?? 0))
      return;
    const bind = type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind');
    const noexec =
      options
        .filter((option) => /^r?(no)?exec$/.test(option))
        .at(-1)
        ?.includes('noexec') ?? false;
    found = { index, destination: mountPoint, noexec, rest: below, ...(bind && source !== undefined && { source }) };
  });
  return found;
}

/** Why programs on the path's mount cannot be executed, and the remedy; undefined if its options allow it. */
export function noexecHint(spec: Spec | undefined, path: string): string | undefined {
  const mount = mountOf(spec, path);
  if (!mount?.noexec) return undefined;
  return `remove "noexec" from the options of the mount ${mount.destination} (/mounts/${mount.index}), or put the program elsewhere: ${path} is on that mount`;
}
