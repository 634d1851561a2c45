/** Known causes of failures of scheduler, ioPriority, execCPUAffinity, memoryPolicy and personality. */
import { E } from '../../sys/errno.js';
import { schedulerPolicies } from '../../sys/kernel-names.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
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
        ? because(
            'IOPRIO_CLASS_RT needs CAP_SYS_ADMIN or CAP_SYS_NICE on the host, and runt has not got it: ask for IOPRIO_CLASS_BE, or give it the capability',
            'ioprio_set(2)',
          )
        : undefined,
  },
  cpuAffinity: {
    code: 'ERR_SCHEDULING',
    hint: (f) =>
      f.errno === E.EINVAL
        ? because(
            "none of these CPUs is one that the process may use: they are not in the machine, or not in the cpuset of its cgroup at that moment (initial: the runtime's, final: the container's)",
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
        ? because(
            'SCHED_DEADLINE needs CAP_SYS_NICE on the host, and a process that may run on all CPUs of its cpuset',
            'sched(7)',
          )
        : because(
            `${policy === 'SCHED_FIFO' || policy === 'SCHED_RR' ? `${policy}` : 'a lower nice value than that of runt'} needs CAP_SYS_NICE on the host, and on cgroup v1 time for real-time processes (linux.resources.cpu.realtimeRuntime) where the kernel counts it`,
            see,
          );
    case E.EBUSY:
      return because('the CPUs have not so much time left for SCHED_DEADLINE: ask for a smaller runtime', 'sched(7)');
    case E.EINVAL:
      return because(
        policy === 'SCHED_ISO'
          ? 'no kernel has SCHED_ISO: it was reserved and never made'
          : 'the kernel does not take these values together: priority, times (runtime of 1024 ns at least, runtime ≤ deadline ≤ period), or a flag that it does not know or was built without',
        see,
      );
    default:
      return undefined;
  }
}

function memoryPolicyHint(f: Failure): Hint | undefined {
  const see = 'set_mempolicy(2)';
  if (f.errno === E.ENOSYS) return because('this kernel was built without NUMA (CONFIG_NUMA): remove it', see);
  if (f.errno !== E.EINVAL) return undefined;
  return because(
    'none of the nodes is one of the machine and of the cpuset of the container, or this kernel does not know the mode (MPOL_PREFERRED_MANY is of Linux 5.15, MPOL_WEIGHTED_INTERLEAVE of 6.9) or does not take it with these flags',
    see,
  );
}
