/** The facts of a failed operation. `op-failure.ts`, which loads only then, makes the user's error of them. */
import type { Op } from '../../plan/plan-ops.js';

export interface OpFailure {
  readonly op: Op;
  readonly errno: number;
  readonly syscall: string;
  /** A path, or the kernel's message; may be empty. */
  readonly detail: string;
  /** The operation's cgroup does not exist. */
  readonly cgroupGone?: true;
  /** runt-init had loaded the container's seccomp filter before. */
  readonly filtered?: boolean;
}

export class OpFailed extends Error {
  // A field: an assignment fails where Error.prototype is frozen.
  override readonly name = 'OpFailed';

  constructor(readonly failed: OpFailure) {
    super(failed.op.op);
  }
}

/** Checks the result of an operation's native call. @throws OpFailed if it is -errno */
export function checkOp(op: Op, result: number, syscall: string, detail = ''): number {
  if (result < 0) throw new OpFailed({ op, errno: -result, syscall, detail });
  return result;
}
