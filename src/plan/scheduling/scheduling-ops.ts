/** Operations of scheduling, memory policy and personality. */
import { table } from '../op-shape.js';

export const schedulingTable = table({
  scheduler: {
    by: 'runtime',
    phase: 'limits',
    fields: {
      policy: 'int',
      flags: 'flags',
      nice: 'int',
      priority: 'int',
      runtime: 'int',
      deadline: 'int',
      period: 'int',
    },
    doc: 'sched_setattr(2) on the process once it waits; times in ns',
  },
  ioPriority: {
    by: 'runtime',
    phase: 'limits',
    fields: { class: 'int', priority: 'int' },
    doc: 'ioprio_set(2) on the process once it waits',
  },
  cpuAffinity: {
    code: 135,
    by: 'init',
    phase: 'limits',
    fields: { cpus: 'range[]' },
    doc: "sched_setaffinity(2) to these CPUs; none: to all CPUs of its cgroup's cpuset",
  },
  memoryPolicy: {
    code: 136,
    by: 'init',
    phase: 'limits',
    fields: { mode: 'int', flags: 'flags', nodes: 'range[]' },
    doc: 'set_mempolicy(2) with the mode and the flags for these nodes',
  },
  personality: {
    code: 137,
    by: 'init',
    phase: 'identity',
    fields: { domain: 'int' },
    doc: 'personality(2): the execution domain, PER_*',
  },
});
