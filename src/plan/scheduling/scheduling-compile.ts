/** Scheduling: `process.scheduler`, `ioPriority`, `execCPUAffinity`, `linux.memoryPolicy`, `linux.personality`. */

import type { Process, Spec } from '../../spec/config-types.js';
import { parseRanges } from '../../spec/number-list.js';
import {
  ioPriorityClasses,
  memoryPolicyFlags,
  memoryPolicyModes,
  schedulerFlags,
  schedulerPolicies,
} from '../../sys/kernel-names.js';
import type { Op } from '../plan-ops.js';

/** Operations in the process itself, before a seccomp filter can forbid them: memory policy and execution domain. */
export function ownSchedulingOps({ linux }: Spec): Op[] {
  const ops: Op[] = [];
  if (linux?.memoryPolicy) {
    const { mode, nodes = '', flags } = linux.memoryPolicy;
    ops.push({
      op: 'memoryPolicy',
      at: '/linux/memoryPolicy',
      mode: memoryPolicyModes().indexOf(mode),
      flags: bits(flags, memoryPolicyFlags(), 13),
      nodes: nodes === '' ? [] : parseRanges(nodes),
    });
  }
  if (linux?.personality) {
    // PER_LINUX, PER_LINUX32. The spec has no flags yet, and the validator refuses them.
    const domain = linux.personality.domain === 'LINUX32' ? 8 : 0;
    ops.push({ op: 'personality', at: '/linux/personality', domain });
  }
  return ops;
}

/**
 * Operations of the runtime on the waiting process: in a user namespace that process lacks the capabilities, and its
 * preparation should not run at a low priority.
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

/** For an exec: the CPUs until it enters the container's cgroups. */
export function initialAffinityOps({ execCPUAffinity }: Process): Op[] {
  const list = execCPUAffinity?.initial;
  return list ? [{ op: 'cpuAffinity', at: '/process/execCPUAffinity/initial', cpus: parseRanges(list) }] : [];
}

/**
 * The CPUs of a process in its cgroups: those of `final` for an exec, else all of its cpuset. Since Linux 6.2 the
 * kernel keeps runt's own affinity (systemd's CPUAffinity=, taskset) also in a new cpuset.
 */
export function affinityOp(list?: string): Op {
  return list
    ? { op: 'cpuAffinity', at: '/process/execCPUAffinity/final', cpus: parseRanges(list) }
    : { op: 'cpuAffinity', at: '/linux/resources/cpu/cpus', cpus: [] };
}

/** Flags as a mask; `from` is the bit of the first name. */
function bits(flags: readonly string[] | undefined, names: readonly string[], from: number): number {
  let mask = 0;
  for (const flag of flags ?? []) mask |= 1 << (names.indexOf(flag) + from);
  return mask;
}
