/** Known causes of failures of the seccomp filter. */

import type { Seccomp, Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import { notifies } from './seccomp-compile.js';
import type { seccompTable } from './seccomp-ops.js';

const SEE = 'runtime-spec config-linux.md#seccomp';

export const seccompFailures: Failures<keyof typeof seccompTable> = {
  seccompProgram: { code: 'ERR_SECCOMP', hint: profileHint },
  seccompData: { code: 'ERR_SECCOMP' },
  seccomp: { code: 'ERR_SECCOMP', hint: loadHint },
};

/** What runt-init calls from `wait` to the execve, below a filter that is loaded before. */
const callsOfWait = ['sendto', 'getsockopt', 'read', 'accept4', 'close', 'openat', 'fstat', 'execve'];

/**
 * The container's own filter denies a call of runt-init, which is under it from before the change of user on, if the
 * process has no noNewPrivileges, and from before `wait` on, if the profile notifies.
 */
export function deniedInitHint(f: Failure): Hint | undefined {
  if (!f.facts.filtered || f.op.op === 'exec' || !denies(f, f.syscall)) return undefined;
  return hintOf(
    notifiesUnprivileged(f.spec)
      ? `allow ${f.syscall} in linux.seccomp.syscalls: the container's own seccomp profile denies this call to runt-init, which is under the filter from create on, as the profile notifies`
      : `allow ${f.syscall} in linux.seccomp.syscalls, or set process.noNewPrivileges, which loads the filter last: the container's own seccomp profile denies this call to runt-init`,
    SEE,
  );
}

/** A filter killed runt-init (SIGSYS). */
export function killedInitHint(spec: Spec): string {
  const seccomp = spec.linux?.seccomp;
  if (!seccomp) {
    return 'allow the calls of runt-init in the seccomp filter that runt runs under: that filter killed runt-init';
  }
  const fatal = callsOfWait.filter((call) => kills(seccomp, call));
  return notifiesUnprivileged(spec) && fatal.length > 0
    ? `allow ${fatal.join(', ')} in linux.seccomp.syscalls: runt-init needs them under a filter that notifies, and the container's own kills it`
    : "allow the calls of runt-init in linux.seccomp.syscalls, or set process.noNewPrivileges, which loads the filter last: a seccomp filter killed it, most likely the container's own";
}

const kills = ({ defaultAction, syscalls = [] }: Seccomp, call: string): boolean => {
  const rules = syscalls.filter(({ names }) => names.includes(call));
  return (rules.length > 0 ? rules.map(({ action }) => action) : [defaultAction]).some((action) =>
    /^SCMP_ACT_(KILL|TRAP)/.test(action),
  );
};

/** Whether the filter is loaded before `wait` for its agent alone: noNewPrivileges is set already. */
const notifiesUnprivileged = (spec: Spec | undefined): boolean =>
  spec?.process?.noNewPrivileges === true && spec.linux?.seccomp !== undefined && notifies(spec.linux.seccomp);

/** For the operation `exec`: the profile denies the execve. */
export function deniedExecHint(f: Failure): Hint | undefined {
  return denies(f, 'execve')
    ? hintOf('allow execve in linux.seccomp.syscalls: the seccomp profile denies it', SEE)
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
      return hintOf('remove the architecture from linux.seccomp.architectures: libseccomp does not know it', SEE);
    case E.EDOM:
      return hintOf(
        'remove the architectures that this machine cannot run: one filter cannot serve both byte orders',
        SEE,
      );
    case E.EINVAL:
      return hintOf('correct the arguments of the rule: libseccomp does not take this combination', SEE);
    case E.E2BIG:
    case E.ENOMEM:
      if (f.op.at.endsWith('/args')) return hintOf('split the rule: it may have at most 64 conditions');
      return hintOf(
        'use fewer rules or architectures: the filter would have more than the 4096 instructions that the kernel loads',
        'seccomp(2)',
      );
    default:
      return undefined;
  }
}

function loadHint(f: Failure): Hint | undefined {
  if (f.syscall === 'clone' && f.errno === E.EAGAIN) {
    return hintOf(
      'raise linux.resources.pids.limit or RLIMIT_NPROC: runt-init starts a helper to hand over the listener, one process more than they allow',
    );
  }
  if (f.syscall !== 'seccomp') return undefined;
  switch (f.errno) {
    case E.EINVAL:
      if (f.op.at.startsWith('/annotations/')) {
        return hintOf(
          'correct the program in the annotation: it is not a seccomp filter (struct sock_filter), and the kernel refuses it',
          'seccomp(2)',
        );
      }
      return hintOf(
        'remove flags from linux.seccomp.flags (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19), or use a kernel with CONFIG_SECCOMP_FILTER: this one lacks one of them',
        'seccomp(2)',
      );
    case E.EACCES:
      return hintOf(
        'set process.noNewPrivileges, or give runt CAP_SYS_ADMIN in the user namespace: loading a filter needs one of them',
        'seccomp(2)',
      );
    case E.EBUSY:
      return hintOf(
        'run runt without the seccomp filter that it runs under, or remove SCMP_ACT_NOTIFY: that filter has a listener, and the kernel allows a process only one',
        'seccomp(2)',
      );
    case E.ENOMEM:
      return hintOf(
        'use fewer rules: all filters of a process together may have 32768 instructions, and runt itself runs under some',
        'seccomp(2)',
      );
    default:
      return undefined;
  }
}
