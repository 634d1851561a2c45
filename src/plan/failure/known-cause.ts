/** One hint: the facts of a failure in, the cause out. */
import type { Spec } from '../../spec/config-types.js';
import type { Op } from '../plan-ops.js';

/** A failed operation, and what is known around it. */
export interface Failure {
  readonly op: Op;
  /** Positive. */
  readonly errno: number;
  readonly syscall: string;
  /** A path or the kernel's own message; may be empty. */
  readonly detail: string;
  readonly facts: {
    /** The container has a user namespace. */
    readonly userNamespace: boolean;
    /** The runtime has no rights of root on the host. */
    readonly rootless: boolean;
    /** The cgroup of the operation is not there. */
    readonly cgroupGone?: boolean;
    /** As `HostFacts.oldMounts`. */
    readonly oldMounts?: boolean;
  };
  readonly spec?: Spec;
}

export interface Hint {
  /** One sentence: the cause, and what to do. */
  readonly hint?: string;
  /** Where the rule stands. */
  readonly see?: string;
}

export function because(hint: string, see?: string): Hint {
  return see === undefined ? { hint } : { hint, see };
}

/** Did the config ask for this memory limit, and is it so small that it explains a lack of memory? */
export function smallMemory(failure: Failure): Hint | undefined {
  const limit = failure.spec?.linux?.resources?.memory?.limit;
  if (limit === undefined || limit === null || limit <= 0 || limit >= 16 << 20) return undefined;
  return because(
    `the container may use ${limit} bytes of memory (linux.resources.memory.limit), and the kernel needed more than that: raise the limit`,
    'runtime-spec config-linux.md#memory',
  );
}
