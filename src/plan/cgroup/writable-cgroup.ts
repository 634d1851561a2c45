/** A container that manages cgroups of its own: the shim's option `CgroupWritable`, and the annotation for it. */

import { annotationValue, cgroupWritable } from '../../spec/annotation-names.js';
import type { Mount, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import type { NamedDelegation } from './delegated-cgroup.js';

interface WritableCgroup {
  /** The config with its cgroup mounts writable. */
  readonly spec: Spec;
  readonly delegation: NamedDelegation;
}

/** Bounds of Kubernetes for such a pod (KEP-5474): each cgroup takes memory of the kernel. */
const bounds = { 'cgroup.max.descendants': '250', 'cgroup.max.depth': '50' };

const isCgroupMount = ({ type }: Mount): boolean => type === 'cgroup' || type === 'cgroup2';
const isReadOnly = ({ options = [] }: Mount): boolean => options.lastIndexOf('ro') > options.lastIndexOf('rw');

/**
 * The writable cgroups that the caller or the annotation asks for, which decides; undefined for none, and for a
 * container that mounts no cgroups. The container does not get the cgroup with its limits, which root in it could
 * change on a host without the mount option nsdelegate, but one below it.
 * @throws RuntError ERR_UNSUPPORTED on cgroup v1 and for a container that shares a cgroup namespace; ERR_SPEC_VALUE for
 * an annotation that is neither true nor false
 */
export function writableCgroup(spec: Spec, { cgroup }: HostFacts, requested: boolean): WritableCgroup | undefined {
  const [value, pointer] = annotationValue(spec, cgroupWritable);
  const at = value === undefined ? '' : pointer;
  const error = (code: 'ERR_SPEC_VALUE' | 'ERR_UNSUPPORTED', message: string) =>
    new RuntError({ code, message, ...(value !== undefined && { pointer, value }) });
  if (value !== undefined && value !== 'true' && value !== 'false')
    throw error('ERR_SPEC_VALUE', `${cgroupWritable} must be true or false`);
  if (!(value === undefined ? requested : value === 'true')) return undefined;
  const mounts = spec.mounts ?? [];
  const shown = mounts.filter(isCgroupMount);
  if (shown.length === 0) return undefined;
  const what = value === undefined ? 'the option CgroupWritable' : cgroupWritable;
  if (cgroup.layout !== 'v2') throw error('ERR_UNSUPPORTED', `${what} needs cgroup v2 alone`);
  if (!spec.linux?.namespaces?.some(({ type, path }) => type === 'cgroup' && !path)) {
    // A privileged container: the host's cgroups are writable for it anyway.
    if (!shown.some(isReadOnly)) return undefined;
    throw error('ERR_UNSUPPORTED', `${what} needs a cgroup namespace of the container’s own`);
  }
  const bounded = spec.linux.resources?.unified ?? {};
  const limits = (path: string): Op[] =>
    Object.entries(bounds).flatMap(([file, most]): Op[] =>
      Object.hasOwn(bounded, file) ? [] : [{ op: 'cgroupWrite', at, path: `${path}/${file}`, value: most }],
    );
  const writable = ({ options = [], ...mount }: Mount): Mount => ({
    ...mount,
    options: [...options.filter((option) => option !== 'ro' && option !== 'rro' && option !== 'rw'), 'rw'],
  });
  return {
    spec: { ...spec, mounts: mounts.map((mount) => (isCgroupMount(mount) ? writable(mount) : mount)) },
    delegation: { what, at, name: 'container', limits },
  };
}
