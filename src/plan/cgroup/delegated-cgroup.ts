/** `run.oci.delegate-cgroup`: a cgroup below the one with the limits, in which the container is and which it manages, as with crun. */

import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import { annotation, delegateCgroup } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import { statistics } from './cgroup-compile.js';

interface Delegation {
  /** Where the process is, and is born. */
  readonly paths: CgroupPaths;
  readonly birth: string;
  /** After the limits are written: what makes that place, with the controllers that the one above has. */
  readonly ops: readonly Op[];
}

/**
 * The delegated cgroup, or none: then the process is where the limits are.
 * @throws RuntError ERR_SPEC_VALUE for what is no path below; ERR_UNSUPPORTED on cgroup v1, where no part of a tree can be left to a
 * container safely, and for a container without a cgroup of its own
 */
export function delegation(spec: Spec, { cgroup }: HostFacts, limited: CgroupPaths, birth: string): Delegation {
  const [value, at] = annotation(spec, delegateCgroup);
  if (!value) return { paths: limited, birth, ops: [] };
  const refused = (code: 'ERR_SPEC_VALUE' | 'ERR_UNSUPPORTED', why: string) =>
    new RuntError({ code, message: `${delegateCgroup} ${why}`, pointer: at, value });
  const names = value.split('/').filter(Boolean);
  if (names.length === 0 || !names.every(isCgroupName))
    throw refused('ERR_SPEC_VALUE', 'must name a cgroup below that of the container');
  const { unified } = limited;
  if (cgroup.layout !== 'v2') throw refused('ERR_UNSUPPORTED', 'needs cgroup v2 alone');
  if (!unified?.writable) throw refused('ERR_UNSUPPORTED', 'needs a cgroup of the container’s own');
  const path = `${unified.path}/${names.join('/')}`;
  const wanted = cgroup.unified!.controllers.filter((c) => statistics.includes(c));
  return {
    paths: { v1: [], unified: { ...unified, path } },
    birth: path,
    ops: [
      { op: 'cgroupCreate', at, path },
      { op: 'cgroupControllers', at, path, top: unified.path, required: [], wanted },
    ],
  };
}

/** One name, which no file of the kernel's is called like. */
export const isCgroupName = (name: string): boolean =>
  /^[A-Za-z0-9_-][A-Za-z0-9_.:@-]{0,254}$/.test(name) &&
  !/^(cgroup|cpu|cpuset|io|memory|pids|hugetlb|rdma|misc|irq|dmem)\./.test(name);
