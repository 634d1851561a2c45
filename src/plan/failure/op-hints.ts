/** Error codes of failed operations, and the known causes of their failures: the `fix` line of an error. */
import { E } from '../../sys/errno.js';
import { openFilesHint } from '../../sys/error.js';
import { cgroupFailures } from '../cgroup/cgroup-hints.js';
import { deviceFailures } from '../devices/device-hints.js';
import { hookFailures } from '../hooks/hook-hints.js';
import { idFailures } from '../ids/id-hints.js';
import { labelFailures } from '../labels/label-hints.js';
import { maskFailures } from '../masks/mask-hints.js';
import { mountFailures } from '../mounts/mount-hints.js';
import { namespaceFailures } from '../namespaces/namespace-hints.js';
import { networkFailures } from '../network/network-hints.js';
import type { Op, OpName } from '../plan-ops.js';
import { processFailures } from '../process/process-hints.js';
import { rdtFailures } from '../rdt/rdt-hints.js';
import { rootFailures } from '../root/root-hints.js';
import { schedulingFailures } from '../scheduling/scheduling-hints.js';
import { seccompFailures } from '../seccomp/seccomp-hints.js';
import { terminalFailures } from '../terminal/terminal-hints.js';
import { type Failure, type Failures, type Hint, hintOf, lowMemoryHint } from './known-cause.js';

export type { Failure, Hint } from './known-cause.js';

/** Total: an operation without a code does not compile. */
const failures: Failures<OpName> = {
  ...processFailures,
  ...idFailures,
  ...namespaceFailures,
  ...networkFailures,
  ...mountFailures,
  ...rootFailures,
  ...maskFailures,
  ...deviceFailures,
  ...cgroupFailures,
  ...seccompFailures,
  ...hookFailures,
  ...terminalFailures,
  ...schedulingFailures,
  ...labelFailures,
  ...rdtFailures,
};

/** The stable error code of a failed operation. */
export function errorCode(op: Op): string {
  return failures[op.op].code;
}

/** The known cause of a failure; empty if unknown: a wrong hint is worse than none. */
export function hintFor(failure: Failure): Hint {
  const { op } = failure;
  // The table is total: it has an entry for each operation.
  return failures[op.op].hint?.(failure, op as never) ?? commonHint(failure) ?? {};
}

/** Why each missing system call is needed, if mount(2) and others cannot replace it. */
function missingCallHint({ op, syscall }: Failure): Hint {
  const allow = `allow ${syscall}(2) in the seccomp filter that runt runs under`;
  const see = 'docs/security.md#missing-system-calls';
  if (syscall === 'mount_setattr')
    return hintOf(
      `${allow}, or use Linux 5.12: options that reach the mounts below (rro, rnosuid …) and id maps need it`,
      'mount_setattr(2)',
    );
  if (op.op === 'reconfigure')
    return hintOf(`${allow}, or add "bind" to change the mount alone: only this call changes the file system`, see);
  if (op.op === 'moveRoot')
    return hintOf(`${allow}, or leave --no-pivot or rootfsPropagation out: together they need it`, see);
  return hintOf(`${allow}, or use Linux 5.10 or newer: runt has no other way to do this`, see);
}

/** Causes that do not depend on the operation. */
function commonHint(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.ENOMEM:
      return (
        lowMemoryHint(f) ??
        hintOf('free memory, or raise the limit of the cgroup that runt runs in: the host or that cgroup has none left')
      );
    case E.ENOSYS:
      return missingCallHint(f);
    case E.EMFILE:
      return hintOf(openFilesHint, 'getrlimit(2), RLIMIT_NOFILE');
    case E.ENFILE:
      return hintOf('raise the sysctl fs.file-max: the host has as many files open as it allows', 'proc_sys_fs(5)');
    case E.ENAMETOOLONG:
      return hintOf(
        'shorten the path: a name in it has more than 255 bytes, or all of it more than 4095',
        'path_resolution(7)',
      );
    case E.ELOOP:
      return hintOf(
        'make the path a real directory or file in the rootfs: a part of it is a symbolic link where none may be, or its links lead in a circle',
        'CVE-2019-19921, openat2(2)',
      );
    case E.EIO:
      return hintOf('look into the kernel log (dmesg): the disk or the file system reports errors');
    case E.EPERM:
      return f.facts.userNamespace || f.facts.rootless
        ? undefined
        : hintOf(
            `give runt the capability that this needs, usually CAP_SYS_ADMIN, or allow ${f.syscall}(2) in the seccomp filter around it: the kernel refuses the call`,
            'capabilities(7)',
          );
    default:
      return undefined;
  }
}
