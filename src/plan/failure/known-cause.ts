/** Facts of a failure, and the hint that names its cause. */
import type { Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import type { Op, OpName, OpOf } from '../plan-ops.js';

/** A failed operation, with its context. */
export interface Failure {
  readonly op: Op;
  /** Positive. */
  readonly errno: number;
  readonly syscall: string;
  /** A path or the kernel's own message; may be empty. */
  readonly detail: string;
  readonly facts: {
    /** Whether the container has a user namespace. */
    readonly userNamespace: boolean;
    /** Whether the runtime is rootless. */
    readonly rootless: boolean;
    /** Whether the cgroup of the operation no longer exists. */
    readonly cgroupGone?: boolean;
    /** runt-init had loaded the container's filter before the operation. */
    readonly filtered?: boolean;
    /** As `HostFacts.oldMounts`. */
    readonly oldMounts?: boolean;
  };
  readonly spec?: Spec;
}

export interface Hint {
  /** One sentence: the cause and the remedy. */
  readonly hint?: string;
  /** Reference for the rule. */
  readonly see?: string;
}

/** Error code and causes for each operation of a room. */
export type Failures<N extends OpName> = {
  readonly [K in N]: {
    /** The error's stable code (docs/errors.md); ERR_INIT for an operation without a code of its own. */
    readonly code: string;
    /**
     * The cause that errno and the operation's fields reveal. Absent: only the causes that `hintFor` has for every
     * operation.
     */
    readonly hint?: (failure: Failure, op: OpOf<K>) => Hint | undefined;
  };
};

export function hintOf(hint: string, see?: string): Hint {
  return see === undefined ? { hint } : { hint, see };
}

/** The hint if the config's memory limit is so small that it explains ENOMEM. */
export function lowMemoryHint(failure: Failure): Hint | undefined {
  const limit = failure.spec?.linux?.resources?.memory?.limit;
  if (limit === undefined || limit === null || limit <= 0 || limit >= 16 << 20) return undefined;
  return hintOf(
    `raise linux.resources.memory.limit: the container may use ${limit} bytes of memory, and the kernel needed more than that`,
    'runtime-spec config-linux.md#memory',
  );
}

/** Why the fork of the process that continues failed. */
export function forkHint(f: Failure): Hint | undefined {
  if (f.errno === E.EAGAIN) {
    return hintOf(
      "raise linux.resources.pids.limit, pids.max of the cgroups above, or the user's limit of processes (ulimit -u): no more processes may be made",
      'fork(2)',
    );
  }
  if (f.errno === E.ENOMEM) {
    return hintOf(
      'restart the container that owns the pid namespace: its first process has ended, so no process can start in it',
      'pid_namespaces(7), "The namespace init process"',
    );
  }
  return undefined;
}
