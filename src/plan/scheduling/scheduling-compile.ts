/** How the kernel runs the process: `process.scheduler`, `ioPriority`, `execCPUAffinity`, `linux.memoryPolicy`, `linux.personality`. */

import type { Process, Spec } from '../../spec/config-types.js';
import { ranges } from '../../spec/number-list.js';
import {
  ioPriorityClasses,
  memoryPolicyFlags,
  memoryPolicyModes,
  schedulerFlags,
  schedulerPolicies,
} from '../../sys/kernel-names.js';
import type { Op } from '../plan-ops.js';

/** What the process does for itself, before a seccomp filter may forbid it: memory policy and execution domain. */
export function ownSchedulingOps({ linux }: Spec): Op[] {
  const ops: Op[] = [];
  if (linux?.memoryPolicy) {
    const { mode, nodes = '', flags } = linux.memoryPolicy;
    ops.push({
      op: 'memoryPolicy',
      at: '/linux/memoryPolicy',
      mode: memoryPolicyModes().indexOf(mode),
      flags: bits(flags, memoryPolicyFlags(), 13),
      nodes: nodes === '' ? [] : ranges(nodes),
    });
  }
  if (linux?.personality) {
    // PER_LINUX, PER_LINUX32. Flags: the spec has none yet, the validator refuses them.
    const domain = linux.personality.domain === 'LINUX32' ? 8 : 0;
    ops.push({ op: 'personality', at: '/linux/personality', domain });
  }
  return ops;
}

/**
 * What the runtime does for the process that waits: in a user namespace it has not the capabilities for it, and what
 * prepares it should not run at a low priority itself.
 */
export function schedulingOps({ process }: Spec): Op[] {
  const ops: Op[] = [];
  if (process?.scheduler) {
    const { policy, flags, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = process.scheduler;
    ops.push({
      op: 'scheduler',
      at: '/process/scheduler',
      policy: schedulerPolicies().indexOf(policy),
      flags: bits(flags, schedulerFlags(), 0),
      nice,
      priority,
      runtime,
      deadline,
      period,
    });
  }
  if (process?.ioPriority) {
    const { class: name, priority = 0 } = process.ioPriority;
    ops.push({ op: 'ioPriority', at: '/process/ioPriority', class: ioPriorityClasses().indexOf(name), priority });
  }
  return ops;
}

/** For an exec: the CPUs before it enters the container's cgroups. */
export function initialAffinityOps({ execCPUAffinity }: Process): Op[] {
  const list = execCPUAffinity?.initial;
  return list ? [{ op: 'cpuAffinity', at: '/process/execCPUAffinity/initial', cpus: ranges(list) }] : [];
}

/**
 * The CPUs of a process in its cgroups: those of `final`, which is for an exec, else all of its cpuset. From Linux 6.2 on the
 * kernel remembers the affinity that runt was started with (systemd's CPUAffinity=, taskset) also in a new cpuset.
 */
export function affinityOp(list?: string): Op {
  return list
    ? { op: 'cpuAffinity', at: '/process/execCPUAffinity/final', cpus: ranges(list) }
    : { op: 'cpuAffinity', at: '/linux/resources/cpu/cpus', cpus: [] };
}

/** Flags as a mask: the bit of the first name is `from`. */
function bits(flags: readonly string[] | undefined, names: readonly string[], from: number): number {
  let mask = 0;
  for (const flag of flags ?? []) mask |= 1 << (names.indexOf(flag) + from);
  return mask;
}
