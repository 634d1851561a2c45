/** Known causes of failures to make and join namespaces, and to configure them. */
import { E } from '../../sys/errno.js';
import { CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from '../../sys/linux.js';
import { cgroupHint } from '../cgroup/cgroup-hints.js';
import { type Failure, type Failures, forkHint, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { namespaceTable } from './namespace-ops.js';

const noTime = 'remove "time" from linux.namespaces: this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS)';

export const namespaceFailures: Failures<keyof typeof namespaceTable> = {
  clone: {
    code: 'ERR_NAMESPACE',
    hint: (f, op) => makeHint(f, BigInt(op.flags)) ?? (f.syscall === 'write' ? cgroupHint(f) : undefined),
  },
  unshare: { code: 'ERR_NAMESPACE', hint: (f, op) => makeHint(f, BigInt(op.flags)) },
  mountTemplate: { code: 'ERR_NAMESPACE' },
  unshareMounts: { code: 'ERR_NAMESPACE', hint: (f) => makeHint(f, BigInt(CLONE_NEWNS)) },
  namespaceOpen: { code: 'ERR_NAMESPACE' },
  setns: { code: 'ERR_NAMESPACE', hint: joinHint },
  join: { code: 'ERR_NAMESPACE' },
  fork: { code: 'ERR_NAMESPACE', hint: forkHint },
  await: { code: 'ERR_INIT' },
  timeOpen: {
    code: 'ERR_NAMESPACE',
    hint: (f) => (f.errno === E.ENOENT ? hintOf(noTime, 'time_namespaces(7)') : undefined),
  },
  timeEnter: {
    code: 'ERR_NAMESPACE',
    hint: (f) =>
      f.errno === E.ERANGE
        ? hintOf(
            'choose another offset: with this one the clock would be below zero, or beyond 146 years',
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
        ? hintOf(
            'run runt as root, or as the user who made the user namespace, and outside of it: nobody else may join it',
            'setns(2), "User namespaces"',
          )
        : hintOf(
            f.facts.rootless
              ? 'join the user namespace that owns this namespace too, or remove the path to make a new one: runt has no privileges in the owner'
              : 'give the container the user namespace that owns this namespace, or no user namespace: the container has no privileges in the owner',
            'setns(2)',
          );
    case E.EINVAL:
      if (flag === CLONE_NEWPID)
        return hintOf(
          'join the pid namespace of runt, or one below it: the kernel allows no other, and this one is above or beside it',
          'setns(2), "PID namespaces"',
        );
      if (flag === CLONE_NEWTIME) return hintOf(noTime, 'time_namespaces(7)');
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
        return hintOf(
          'remove "time" from linux.namespaces: this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS)',
          'time_namespaces(7)',
        );
      }
      if (has(CLONE_NEWCGROUP)) {
        return hintOf(
          'remove "cgroup" from linux.namespaces: this kernel has no cgroup namespaces (CONFIG_CGROUPS)',
          'cgroup_namespaces(7)',
        );
      }
      return hintOf(
        'remove the namespaces that /proc/self/ns does not list from linux.namespaces: this kernel was built without one of them',
        'namespaces(7)',
      );
    case E.ENOSPC:
    case E.EUSERS:
      return hintOf(
        'raise the sysctls user.max_*_namespaces, such as user.max_user_namespaces: the limit on the number of namespaces is reached (user namespaces also nest 32 deep at most)',
        'namespaces(7), "The /proc/sys/user directory"',
      );
    case E.EPERM:
      return has(CLONE_NEWUSER)
        ? hintOf(
            'allow users to make user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces): the host forbids it, or runt runs in a chroot',
            'user_namespaces(7)',
          )
        : hintOf(
            f.facts.rootless
              ? 'run runt as root, or use a bundle with a user namespace (runt spec --rootless): making namespaces needs CAP_SYS_ADMIN'
              : 'give runt CAP_SYS_ADMIN, which making namespaces needs, or allow clone(2) and unshare(2) in the seccomp filter around it',
            'clone(2)',
          );
    case E.EAGAIN:
      return hintOf(
        "raise pids.max of the cgroup that runt runs in, or the user's limit of processes (ulimit -u): runt may make no more",
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
      return hintOf(
        `load the module that has the sysctl ${name}, or remove it: this kernel does not have it, or not in the container's namespaces`,
        see,
      );
    case E.EACCES:
    case E.EPERM:
    case E.EROFS:
      return hintOf(
        `set ${name} on the host, or add its namespace to the container (net.*: network; kernel.msg*, sem, shm* and fs.mqueue.*: ipc): it belongs to the whole host, or to a namespace that the container shares with it`,
        see,
      );
    case E.EINVAL:
    case E.ERANGE:
      return hintOf(`correct the value: the kernel does not take ${JSON.stringify(value)} for ${name}`, see);
    default:
      return undefined;
  }
}

function hostnameHint(f: Failure, field: string): Hint | undefined {
  if (f.errno === E.EINVAL || f.errno === E.ENAMETOOLONG) {
    return hintOf(`shorten the ${field}: it may have at most 64 bytes`, 'sethostname(2)');
  }
  if (f.errno === E.EPERM) {
    return hintOf(
      `add "uts" to linux.namespaces: without a uts namespace of its own, the container would change the ${field} of the host`,
      'uts_namespaces(7)',
    );
  }
  return undefined;
}
