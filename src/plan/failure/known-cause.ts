/** One hint: the facts of a failure in, the cause out. */
import type { Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import type { Op, OpName, OpOf } from '../plan-ops.js';

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

/** What the failures of each operation of a room are called and caused by. */
export type Failures<N extends OpName> = {
  readonly [K in N]: {
    /** The error's stable code (docs/errors.md); ERR_INIT for an operation that has none of its own. */
    readonly code: string;
    /** The cause that the operation's errno and fields give away. Absent: only what `hintFor` knows of every operation. */
    readonly hint?: (failure: Failure, op: OpOf<K>) => Hint | undefined;
  };
};

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

/** Why the process that goes on cannot be cloned. */
export function forkHint(f: Failure): Hint | undefined {
  if (f.errno === E.EAGAIN) {
    return because(
      'no more processes may be made: raise linux.resources.pids.limit, pids.max of the cgroups above, or the limit of processes of the user (ulimit -u)',
      'fork(2)',
    );
  }
  if (f.errno === E.ENOMEM) {
    return because(
      'the first process of the pid namespace has ended, and with it the namespace: no process can begin in it any more',
      'pid_namespaces(7), "The namespace init process"',
    );
  }
  return undefined;
}
