/** Known causes of failures of scheduler, ioPriority, execCPUAffinity, memoryPolicy and personality. */
import { E } from '../../sys/errno.js';
import { schedulerPolicies } from '../../sys/kernel-names.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { schedulingTable } from './scheduling-ops.js';

export const schedulingFailures: Failures<keyof typeof schedulingTable> = {
  scheduler: {
    code: 'ERR_SCHEDULING',
    hint: (f, op) => schedulerHint(f, schedulerPolicies()[Number(op.policy)] ?? ''),
  },
  ioPriority: {
    code: 'ERR_SCHEDULING',
    hint: (f) =>
      f.errno === E.EPERM
        ? hintOf(
            'set IOPRIO_CLASS_BE, or give runt CAP_SYS_NICE or CAP_SYS_ADMIN on the host: IOPRIO_CLASS_RT needs one of them',
            'ioprio_set(2)',
          )
        : undefined,
  },
  cpuAffinity: {
    code: 'ERR_SCHEDULING',
    hint: (f) =>
      f.errno === E.EINVAL
        ? hintOf(
            "name CPUs that the process may use: none of these is both in the machine and in its cpuset (initial: the runtime's cpuset, final: the container's)",
            'sched_setaffinity(2)',
          )
        : undefined,
  },
  memoryPolicy: { code: 'ERR_SCHEDULING', hint: memoryPolicyHint },
  personality: { code: 'ERR_SCHEDULING' },
};

function schedulerHint(f: Failure, policy: string): Hint | undefined {
  const see = 'sched_setattr(2)';
  switch (f.errno) {
    case E.EPERM:
      return policy === 'SCHED_DEADLINE'
        ? hintOf(
            f.spec?.linux?.resources?.cpu?.cpus
              ? "remove linux.resources.cpu.cpus, or choose another policy: the process scheduler can't be used together with AllowedCPUs, as SCHED_DEADLINE needs all CPUs (and CAP_SYS_NICE on the host)"
              : 'give runt CAP_SYS_NICE on the host, and let the process run on all CPUs of its cpuset: SCHED_DEADLINE needs both',
            'sched(7)',
          )
        : hintOf(
            `${policy === 'SCHED_FIFO' || policy === 'SCHED_RR' ? `give runt CAP_SYS_NICE on the host and, on cgroup v1, the cgroup time for real-time processes (linux.resources.cpu.realtimeRuntime): ${policy} needs both` : 'give runt CAP_SYS_NICE on the host: a lower nice value than that of runt needs it'}`,
            see,
          );
    case E.EBUSY:
      return hintOf('set a smaller runtime: the CPUs do not have that much time left for SCHED_DEADLINE', 'sched(7)');
    case E.EINVAL:
      return hintOf(
        policy === 'SCHED_ISO'
          ? 'use another policy: no kernel has SCHED_ISO, which was reserved and never made'
          : 'correct the priority, the times (1024 ns ≤ runtime ≤ deadline ≤ period) or the flags: the kernel does not take these values together, or does not know a flag',
        see,
      );
    default:
      return undefined;
  }
}

function memoryPolicyHint(f: Failure): Hint | undefined {
  const see = 'set_mempolicy(2)';
  if (f.errno === E.ENOSYS)
    return hintOf('remove linux.memoryPolicy: this kernel was built without NUMA (CONFIG_NUMA)', see);
  if (f.errno !== E.EINVAL) return undefined;
  return hintOf(
    "name a node of the machine and of the container's cpuset, and a mode and flags that this kernel has: MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9",
    see,
  );
}
