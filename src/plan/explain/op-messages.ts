/** Messages and explain rows for every operation of a plan. */
import { cgroupMessages } from '../cgroup/cgroup-messages.js';
import { deviceMessages } from '../devices/device-messages.js';
import { hookMessages } from '../hooks/hook-messages.js';
import { idMessages } from '../ids/id-messages.js';
import { labelMessages } from '../labels/label-messages.js';
import { maskMessages } from '../masks/mask-messages.js';
import { mountMessages } from '../mounts/mount-messages.js';
import { namespaceMessages } from '../namespaces/namespace-messages.js';
import { networkMessages } from '../network/network-messages.js';
import type { Op, OpName } from '../plan-ops.js';
import { processMessages } from '../process/process-messages.js';
import { rdtMessages } from '../rdt/rdt-messages.js';
import { rootMessages } from '../root/root-messages.js';
import { schedulingMessages } from '../scheduling/scheduling-messages.js';
import { seccompMessages } from '../seccomp/seccomp-messages.js';
import { terminalMessages } from '../terminal/terminal-messages.js';
import type { Messages, Row } from './row-parts.js';

const messages: Messages<OpName> = {
  ...processMessages,
  ...idMessages,
  ...namespaceMessages,
  ...networkMessages,
  ...mountMessages,
  ...rootMessages,
  ...maskMessages,
  ...deviceMessages,
  ...cgroupMessages,
  ...seccompMessages,
  ...hookMessages,
  ...terminalMessages,
  ...schedulingMessages,
  ...labelMessages,
  ...rdtMessages,
};

/** The operation as the start of an error message: "mount tmpfs on /dev/shm". */
export function sentence(op: Op): string {
  // The table is total: it has an entry for each operation.
  return messages[op.op].sentence(op as never);
}

/** The lines of an operation in `explain`. */
export function rows(op: Op): Row[] {
  return messages[op.op].rows(op as never);
}
