/** Messages and explain rows for scheduling operations. */
import type { NumberRange } from '../../spec/number-list.js';
import {
  ioPriorityClasses,
  memoryPolicyFlags,
  memoryPolicyModes,
  schedulerFlags,
  schedulerPolicies,
} from '../../sys/kernel-names.js';
import { list, type Messages, row } from '../explain/row-parts.js';
import type { schedulingTable } from './scheduling-ops.js';

/** Formats a list as cpuset(7): `0-3,7`. */
const numbers = (ranges: readonly NumberRange[]): string =>
  ranges.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(',');

export const schedulingMessages: Messages<keyof typeof schedulingTable> = {
  scheduler: {
    sentence: (op) => `set the scheduling policy ${schedulerPolicies()[Number(op.policy)]}`,
    rows: (op) => {
      const times = (
        [
          ['runtime', op.runtime],
          ['deadline', op.deadline],
          ['period', op.period],
        ] as const
      )
        .filter(([, n]) => Number(n) !== 0)
        .map(([name, n]) => `${name} ${n} ns`);
      const nice = Number(op.nice) !== 0 ? [`nice ${op.nice}`] : [];
      const priority = Number(op.priority) !== 0 ? [`priority ${op.priority}`] : [];
      const flags = schedulerFlags().filter((_, bit) => (Number(op.flags) >> bit) & 1);
      const policy = schedulerPolicies()[Number(op.policy)] ?? `policy ${op.policy}`;
      return row(op, 'scheduler', policy, list([...nice, ...priority, ...times, ...flags]));
    },
  },
  ioPriority: {
    sentence: (op) => `set the I/O priority ${ioPriorityClasses()[Number(op.class)]} ${op.priority}`,
    rows: (op) =>
      row(op, 'I/O priority', ioPriorityClasses()[Number(op.class)] ?? `class ${op.class}`, String(op.priority)),
  },
  cpuAffinity: {
    sentence: (op) => (op.cpus.length > 0 ? `set the CPU affinity ${numbers(op.cpus)}` : 'reset the CPU affinity'),
    rows: (op) => row(op, 'CPU affinity', numbers(op.cpus) || 'all that its cgroup has'),
  },
  memoryPolicy: {
    sentence: (op) => `set the memory policy ${memoryPolicyModes()[Number(op.mode)]}`,
    rows: (op) => {
      const mode = memoryPolicyModes()[Number(op.mode)] ?? `mode ${op.mode}`;
      const flags = memoryPolicyFlags().filter((_, bit) => (Number(op.flags) >> (13 + bit)) & 1);
      return row(op, 'memory policy', mode, list([op.nodes.length > 0 ? `nodes ${numbers(op.nodes)}` : '', ...flags]));
    },
  },
  personality: {
    sentence: (op) => `set the execution domain ${op.domain ? 'LINUX32' : 'LINUX'}`,
    rows: (op) => row(op, 'personality', op.domain ? 'LINUX32' : 'LINUX'),
  },
};
