/** Why an operation failed, where its errno and its fields give the cause away: the `why` line of an error. */
import { E } from '../sys/errno.js';
import { because, type Failure, type Hint, smallMemory } from './hint.js';
import { cgroupHint } from './hints-cgroup.js';
import { hostHint } from './hints-host.js';
import { mountHint } from './hints-mount.js';
import { namespaceJoinHint } from './hints-namespace.js';
import { netDeviceHint } from './hints-net-device.js';
import { processHint } from './hints-process.js';
import { rdtHint } from './hints-rdt.js';
import { rootHint } from './hints-root.js';
import { schedulingHint } from './hints-scheduling.js';
import { seccompHint } from './hints-seccomp.js';
import { securityHint } from './hints-security.js';
import { terminalHint } from './hints-terminal.js';

export type { Failure, Hint } from './hint.js';

/** The known cause of a failure; empty when it is not known: a wrong hint is worse than none. */
export function hintFor(failure: Failure): Hint {
  return (
    hostHint(failure) ??
    namespaceJoinHint(failure) ??
    netDeviceHint(failure) ??
    seccompHint(failure) ??
    cgroupHint(failure) ??
    rootHint(failure) ??
    terminalHint(failure) ??
    mountHint(failure) ??
    processHint(failure) ??
    schedulingHint(failure) ??
    securityHint(failure) ??
    rdtHint(failure) ??
    anywhere(failure) ??
    {}
  );
}

/** Causes that do not depend on the operation. */
function anywhere(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.ENOMEM:
      return (
        smallMemory(f) ??
        because('the host, or the cgroup that runt runs in, has no memory left: free some or raise its limit')
      );
    case E.ENOSYS:
      if (f.syscall === 'mount_setattr')
        return because('options that reach the mounts below (rro, rnosuid …) need Linux 5.12', 'mount_setattr(2)');
      return because(
        `this kernel has no ${f.syscall}, or a seccomp filter around runt hides it: runt needs Linux 5.10 and may not be filtered like a container`,
      );
    case E.EMFILE:
      return because('runt may open no more files: raise its limit (ulimit -n)', 'getrlimit(2), RLIMIT_NOFILE');
    case E.ENFILE:
      return because('the host has all the files open that it allows: raise the sysctl fs.file-max', 'proc_sys_fs(5)');
    case E.ENAMETOOLONG:
      return because(
        'a name in the path has more than 255 bytes, or the path more than 4095: shorten it',
        'path_resolution(7)',
      );
    case E.ELOOP:
      return because(
        'a part of the path is a symbolic link where none may be, or the links lead in a circle: make it a real directory or file in the rootfs',
        'CVE-2019-19921, openat2(2)',
      );
    case E.EIO:
      return because('the disk or file system below it reports errors: see the kernel log (dmesg)');
    case E.EPERM:
      return f.facts.userNamespace || f.facts.rootless
        ? undefined
        : because(
            'runt lacks a capability for this, usually CAP_SYS_ADMIN: run it as root and not inside a restricted container, or use a rootless bundle (runt spec --rootless)',
            'capabilities(7)',
          );
    default:
      return undefined;
  }
}
