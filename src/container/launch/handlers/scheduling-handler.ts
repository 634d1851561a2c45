/** `process.scheduler` and `process.ioPriority`, set from outside while the process waits. */
import type { Op } from '../../../plan/plan-ops.js';
import { native } from '../../../sys/host.js';
import { checkOp } from '../../failure/op-failed.js';

/** Bits of the class above those of the priority (IOPRIO_CLASS_SHIFT). */
const classShift = 13;

/** @throws OpFailed */
export function applyScheduling(op: Extract<Op, { op: 'scheduler' | 'ioPriority' }>, pid: number): void {
  if (op.op === 'ioPriority') {
    checkOp(op, native.ioprioSet(pid, (Number(op.class) << classShift) | Number(op.priority)), 'ioprio_set');
    return;
  }
  const wide = (n: number | bigint) => BigInt.asIntN(64, BigInt(n));
  const { policy, flags, nice, priority, runtime, deadline, period } = op;
  const numbers = [pid, policy, flags, nice, priority].map(Number) as [number, number, number, number, number];
  checkOp(op, native.schedSetAttr(...numbers, wide(runtime), wide(deadline), wide(period)), 'sched_setattr');
}
