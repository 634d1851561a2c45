/** Known causes of failures to make and join namespaces, and to configure them. */
import { E } from '../../sys/errno.js';
import { CLONE_NEWCGROUP, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from '../../sys/linux.js';
import { cgroupHint } from '../cgroup/cgroup-hints.js';
import { because, type Failure, type Failures, forkHint, type Hint } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { namespaceTable } from './namespace-ops.js';

const noTime = 'this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS): remove "time" from linux.namespaces';

export const namespaceFailures: Failures<keyof typeof namespaceTable> = {
  clone: {
    code: 'ERR_NAMESPACE',
    hint: (f, op) => makeHint(f, BigInt(op.flags)) ?? (f.syscall === 'write' ? cgroupHint(f) : undefined),
  },
  unshare: { code: 'ERR_NAMESPACE', hint: (f, op) => makeHint(f, BigInt(op.flags)) },
  namespaceOpen: { code: 'ERR_NAMESPACE' },
  setns: { code: 'ERR_NAMESPACE', hint: joinHint },
  join: { code: 'ERR_NAMESPACE' },
  fork: { code: 'ERR_NAMESPACE', hint: forkHint },
  await: { code: 'ERR_INIT' },
  timeOpen: {
    code: 'ERR_NAMESPACE',
    hint: (f) => (f.errno === E.ENOENT ? because(noTime, 'time_namespaces(7)') : undefined),
  },
  timeEnter: {
    code: 'ERR_NAMESPACE',
    hint: (f) =>
      f.errno === E.ERANGE
        ? because(
            'with the offset the clock would be below zero, or beyond 146 years: choose another',
            'time_namespaces(7)',
          )
        : undefined,
  },
  hostname: { code: 'ERR_HOSTNAME', hint: (f) => hostnameHint(f, 'hostname') },
  domainname: { code: 'ERR_HOSTNAME', hint: (f) => hostnameHint(f, 'domainname') },
  sysctl: { code: 'ERR_SYSCTL', hint: (f, op) => sysctlHint(f, op.key.replaceAll('/', '.'), op.value) },
};

function joinHint(f: Failure, op: OpOf<'setns'>): Hint | undefined {
  const flag = Number(op.flag);
  switch (f.errno) {
    case E.EPERM:
      return flag === CLONE_NEWUSER
        ? because(
            'to join a user namespace takes root, or the user who made it, outside of it',
            'setns(2), "User namespaces"',
          )
        : because(
            f.facts.rootless
              ? 'the namespace belongs to a user namespace in which runt has no rights: join that user namespace too, or make a namespace of its own'
              : 'the namespace belongs to a user namespace in which the container has no rights: give the container the same user namespace, or none',
            'setns(2)',
          );
    case E.EINVAL:
      if (flag === CLONE_NEWPID)
        return because(
          'only the pid namespace of runt, or one below it, can be joined: this one is above or beside it',
          'setns(2), "PID namespaces"',
        );
      if (flag === CLONE_NEWTIME) return because(noTime, 'time_namespaces(7)');
      return undefined;
    default:
      return undefined;
  }
}

function makeHint(f: Failure, flags: bigint): Hint | undefined {
  const has = (flag: number) => (flags & BigInt(flag)) !== 0n;
  switch (f.errno) {
    case E.EINVAL:
      if (has(CLONE_NEWTIME)) {
        return because(
          'this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS): remove "time" from linux.namespaces',
          'time_namespaces(7)',
        );
      }
      if (has(CLONE_NEWCGROUP)) {
        return because(
          'this kernel has no cgroup namespaces (CONFIG_CGROUPS): remove "cgroup" from linux.namespaces',
          'cgroup_namespaces(7)',
        );
      }
      return because(
        'this kernel was built without one of the namespaces in linux.namespaces: see /proc/self/ns for those it has',
        'namespaces(7)',
      );
    case E.ENOSPC:
    case E.EUSERS:
      return because(
        'a limit on the number of namespaces is reached: raise the sysctls user.max_*_namespaces (user.max_user_namespaces for user namespaces, which also nest 32 deep at most)',
        'namespaces(7), "The /proc/sys/user directory"',
      );
    case E.EPERM:
      return has(CLONE_NEWUSER)
        ? because(
            'users may not make user namespaces here: runt runs in a chroot, or the host forbids it (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)',
            'user_namespaces(7)',
          )
        : because(
            f.facts.rootless
              ? 'run runt as root, or use a bundle with a user namespace (runt spec --rootless): making namespaces needs CAP_SYS_ADMIN'
              : 'give runt CAP_SYS_ADMIN, which making namespaces needs, or allow clone(2) and unshare(2) in the seccomp filter around it',
            'clone(2)',
          );
    case E.EAGAIN:
      return because(
        'no more processes may be made: raise pids.max of the cgroup that runt runs in, or the limit of processes of the user (ulimit -u)',
        'fork(2)',
      );
    default:
      return undefined;
  }
}

function sysctlHint(f: Failure, name: string, value: string): Hint | undefined {
  const see = 'runtime-spec config-linux.md#sysctl';
  switch (f.errno) {
    case E.ENOENT:
      return because(
        `this kernel has no sysctl ${name}, or not in the container's namespaces: load the module that brings it, or remove it`,
        see,
      );
    case E.EACCES:
    case E.EPERM:
    case E.EROFS:
      return because(
        `${name} belongs to the whole host, or to a namespace that the container has not got of its own (net.* needs network, kernel.msg*, sem, shm* and fs.mqueue.* ipc): set it on the host, or add the namespace`,
        see,
      );
    case E.EINVAL:
    case E.ERANGE:
      return because(`the kernel does not take ${JSON.stringify(value)} for ${name}: correct the value`, see);
    default:
      return undefined;
  }
}

function hostnameHint(f: Failure, field: string): Hint | undefined {
  if (f.errno === E.EINVAL || f.errno === E.ENAMETOOLONG) {
    return because(`a ${field} has at most 64 bytes: shorten it`, 'sethostname(2)');
  }
  if (f.errno === E.EPERM) {
    return because(
      `the container has no uts namespace of its own, so the ${field} would be the host's: add "uts" to linux.namespaces`,
      'uts_namespaces(7)',
    );
  }
  return undefined;
}
