/** Mounts of a config from which nothing can be executed. */
import type { Spec } from '../../spec/config-types.js';

/** A mount of the config that a path is on. */
interface MountOf {
  readonly index: number;
  readonly destination: string;
  readonly noexec: boolean;
  /** Of a bind mount: what it shows, and the path there. */
  readonly source?: string;
  readonly rest: string;
}

/** The mount of the config that an absolute path of the container is on: the deepest, and of two on one place the later. */
export function mountOf(spec: Spec | undefined, path: string): MountOf | undefined {
  let found: MountOf | undefined;
  spec?.mounts?.forEach(({ destination, source, type, options = [] }, index) => {
    const place = `/${destination.split('/').filter(Boolean).join('/')}`;
    const below = place === '/' ? path : path.slice(place.length);
    if (!path.startsWith(place) || !below.startsWith('/') || place.length < (found?.destination.length ?? 0)) return;
    const bind = type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind');
    const noexec =
      options
        .filter((option) => /^r?(no)?exec$/.test(option))
        .at(-1)
        ?.includes('noexec') ?? false;
    found = { index, destination: place, noexec, rest: below, ...(bind && source !== undefined && { source }) };
  });
  return found;
}

/** Why nothing on the mount of a path can be executed, and what to do; undefined when its options do not say so. */
export function noexecHint(spec: Spec | undefined, path: string): string | undefined {
  const mount = mountOf(spec, path);
  if (!mount?.noexec) return undefined;
  return `${path} is on the mount ${mount.destination} (/mounts/${mount.index}), which has "noexec": remove it from its options, or put the program elsewhere`;
}
