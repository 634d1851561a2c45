/** Known causes of failures of the seccomp filter. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { seccompTable } from './seccomp-ops.js';

const SEE = 'runtime-spec config-linux.md#seccomp';

export const seccompFailures: Failures<keyof typeof seccompTable> = {
  seccompProgram: { code: 'ERR_SECCOMP', hint: profileHint },
  seccompData: { code: 'ERR_SECCOMP' },
  seccomp: { code: 'ERR_SECCOMP', hint: loadHint },
};

/**
 * The container's own filter denies a call of runt-init, which is under it from before the change of user on, if the
 * process has no noNewPrivileges.
 */
export function deniedInitHint(f: Failure): Hint | undefined {
  return f.facts.filtered && f.op.op !== 'exec' && denies(f, f.syscall)
    ? because(
        `the container's own seccomp profile denies ${f.syscall}(2) to runt-init: allow it in linux.seccomp.syscalls, or set process.noNewPrivileges, which loads the filter last`,
        SEE,
      )
    : undefined;
}

/** For the operation `exec`: the profile denies the execve. */
export function deniedExecHint(f: Failure): Hint | undefined {
  return denies(f, 'execve')
    ? because('the seccomp profile denies execve: allow it in linux.seccomp.syscalls', SEE)
    : undefined;
}

/**
 * Whether the filter can have denied a call: with the profile's errno, or ENOSYS for a call that it does not have.
 */
function denies(f: Failure, call: string): boolean {
  const seccomp = f.spec?.linux?.seccomp;
  if (!seccomp) return false;
  const returns = (action: string, errno: number | undefined): boolean =>
    action === 'SCMP_ACT_ERRNO' && (f.errno === (errno ?? E.EPERM) || f.errno === E.ENOSYS);
  const rules = seccomp.syscalls?.filter((rule) => rule.names.includes(call)) ?? [];
  return rules.length > 0
    ? rules.some((rule) => returns(rule.action, rule.errnoRet))
    : returns(seccomp.defaultAction, seccomp.defaultErrnoRet);
}

function profileHint(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.EOPNOTSUPP:
      return because('libseccomp does not know this architecture: remove it from linux.seccomp.architectures', SEE);
    case E.EDOM:
      return because(
        'one filter cannot serve architectures of both byte orders: remove those that this machine cannot run',
        SEE,
      );
    case E.EINVAL:
      return because('libseccomp refuses the rule: it takes no such combination of arguments', SEE);
    case E.E2BIG:
    case E.ENOMEM:
      if (f.op.at.endsWith('/args')) return because('a rule takes at most 64 conditions: split it');
      return because(
        'the filter would have more than 4096 instructions, which is all that the kernel loads: use fewer rules or architectures',
        'seccomp(2)',
      );
    default:
      return undefined;
  }
}

function loadHint(f: Failure): Hint | undefined {
  if (f.syscall === 'clone' && f.errno === E.EAGAIN) {
    return because(
      'the helper that hands the listener over is one process more than the limits on processes allow: raise linux.resources.pids.limit or RLIMIT_NPROC',
    );
  }
  if (f.syscall !== 'seccomp') return undefined;
  switch (f.errno) {
    case E.EINVAL:
      if (f.op.at.startsWith('/annotations/')) {
        return because(
          'the kernel refuses the ready-made program: it is no seccomp filter (struct sock_filter)',
          'seccomp(2)',
        );
      }
      return because(
        'this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), or not all of linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is Linux 5.19',
        'seccomp(2)',
      );
    case E.EACCES:
      return because(
        'a filter takes process.noNewPrivileges, or CAP_SYS_ADMIN of the runtime in the user namespace',
        'seccomp(2)',
      );
    case E.EBUSY:
      return because(
        'runt runs under a filter that has a listener already, and the kernel allows one for a process: run it outside, or use no SCMP_ACT_NOTIFY',
        'seccomp(2)',
      );
    case E.ENOMEM:
      return because(
        'all filters of a process together may have 32768 instructions; runt itself runs under some',
        'seccomp(2)',
      );
    default:
      return undefined;
  }
}
