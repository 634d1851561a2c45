/** `run.oci.delegate-cgroup` (crun's): a cgroup below the one with the limits, for the container to manage. */

import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import { annotationValue, delegateCgroup } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import { statistics, v2CreateOp } from './cgroup-compile.js';

/** A delegation that the annotation does not name. */
export interface NamedDelegation {
  /** Who asks for it, for errors. */
  readonly what: string;
  /** JSON pointer; empty for the caller. */
  readonly at: string;
  readonly name: string;
  /** What bounds the cgroups below that with the limits, at `path`. */
  readonly limits: (path: string) => readonly Op[];
}

interface Delegation {
  /** The cgroup of the process, in which it is cloned. */
  readonly paths: CgroupPaths;
  readonly cloneCgroup: string;
  /** After the limits are written: makes that cgroup, with the controllers of its parent. */
  readonly ops: readonly Op[];
}

/**
 * The delegated cgroup; without the annotation and `named`, the process is in the cgroup with the limits.
 * @throws RuntError ERR_SPEC_VALUE for a value that is not a path below; ERR_UNSUPPORTED on cgroup v1, on which no
 * subtree can be delegated safely, and for a container without a cgroup of its own
 */
export function delegate(
  spec: Spec,
  { cgroup }: HostFacts,
  limited: CgroupPaths,
  cloneCgroup: string,
  named?: NamedDelegation,
): Delegation {
  const [annotation, pointer] = annotationValue(spec, delegateCgroup);
  const value = annotation || named?.name;
  if (!value) return { paths: limited, cloneCgroup, ops: [] };
  const [what, at] = annotation || !named ? [delegateCgroup, pointer] : [named.what, named.at];
  const refusedError = (code: 'ERR_SPEC_VALUE' | 'ERR_UNSUPPORTED', why: string) =>
    new RuntError({ code, message: `${what} ${why}`, ...(at && { pointer: at, value }) });
  const names = value.split('/').filter(Boolean);
  if (names.length === 0 || !names.every(isCgroupName))
    throw refusedError('ERR_SPEC_VALUE', 'must name a cgroup below that of the container');
  const { unified } = limited;
  if (cgroup.layout !== 'v2') throw refusedError('ERR_UNSUPPORTED', 'needs cgroup v2 alone');
  if (!unified?.writable) throw refusedError('ERR_UNSUPPORTED', 'needs a cgroup of the container’s own');
  const path = `${unified.path}/${names.join('/')}`;
  const wanted = cgroup.unified!.controllers.filter((c) => statistics.includes(c));
  return {
    paths: { v1: [], unified: { ...unified, path } },
    cloneCgroup: path,
    ops: [
      ...(named?.limits(unified.path) ?? []),
      v2CreateOp(path, at),
      { op: 'cgroupControllers', at, path, top: unified.path, required: [], wanted },
    ],
  };
}

/** Whether a name is valid for a cgroup and cannot collide with a kernel file. */
export const isCgroupName = (name: string): boolean =>
  /^[A-Za-z0-9_-][A-Za-z0-9_.:@-]{0,254}$/.test(name) &&
  !/^(cgroup|cpu|cpuset|io|memory|pids|hugetlb|rdma|misc|irq|dmem)\./.test(name);
