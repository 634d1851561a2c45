/** The bare facts of an operation that failed. What a person reads is made of them by `op-failure.ts`, which loads only then. */
import type { Op } from '../../plan/plan-ops.js';

export interface Failed {
  readonly op: Op;
  readonly errno: number;
  readonly syscall: string;
  /** A path, or the kernel's message; may be empty. */
  readonly detail: string;
  /** The cgroup of the operation was not there. */
  readonly cgroupGone?: true;
}

export class OpFailed extends Error {
  constructor(readonly failed: Failed) {
    super(failed.op.op);
    this.name = 'OpFailed';
  }
}

/** The result of a native call that an operation made. @throws OpFailed when it is -errno */
export function checkOp(op: Op, result: number, syscall: string, detail = ''): number {
  if (result < 0) throw new OpFailed({ op, errno: -result, syscall, detail });
  return result;
}
