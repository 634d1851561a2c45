/** Known causes of failures outside of the container: namespaces, id maps, limits, state. */
import { E } from '../../sys/errno.js';
import { CLONE_NEWCGROUP, CLONE_NEWTIME, CLONE_NEWUSER } from '../../sys/linux.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';

export function hostHint(f: Failure): Hint | undefined {
  switch (f.op.op) {
    case 'stateDir':
    case 'startSocket':
      return stateHint(f);
    case 'clone':
    case 'unshare':
      return namespaceHint(f, BigInt(f.op.flags));
    case 'setGroupsPolicy':
    case 'idMap':
    case 'becomeRoot':
      return idMapHint(f);
    case 'oomScoreAdj':
      if (f.errno !== E.EACCES && f.errno !== E.EPERM) return undefined;
      return because(
        `only CAP_SYS_RESOURCE may lower oom_score_adj, and runt has not got it: ask for a value that is not below its own, or give it the capability`,
        'proc_pid_oom_score_adj(5)',
      );
    case 'rlimit':
      return rlimitHint(f);
    default:
      return undefined;
  }
}

function stateHint({ errno, facts }: Failure): Hint | undefined {
  if (errno === E.EACCES || errno === E.EPERM || errno === E.EROFS) {
    return because(
      facts.rootless
        ? 'the user may not write where containers are kept: set XDG_RUNTIME_DIR to a directory of the user, or name one with --root'
        : 'the directory where containers are kept cannot be written: name another with --root',
    );
  }
  if (errno === E.ENOSPC || errno === E.EDQUOT) {
    return because(
      'the file system of the state directory is full: make room on it, or name another directory with --root',
    );
  }
  if (errno === E.ENOTDIR)
    return because('a part of the path of the state directory is a file: name another directory with --root');
  return undefined;
}

function namespaceHint(f: Failure, flags: bigint): Hint | undefined {
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

function idMapHint(f: Failure): Hint | undefined {
  if (f.op.op === 'becomeRoot') {
    if (f.errno !== E.EINVAL) return undefined;
    return because(
      'id 0 of the container is not mapped, and the container is set up as its root: map containerID 0 in linux.uidMappings and linux.gidMappings',
      'user_namespaces(7)',
    );
  }
  if (f.op.op === 'setGroupsPolicy') {
    if (f.errno !== E.EPERM) return undefined;
    return because(
      'setgroups was denied in an outer user namespace already and cannot be allowed again inside',
      'user_namespaces(7)',
    );
  }
  if (f.op.op !== 'idMap') return undefined;
  const { kind, helper } = f.op;
  if (helper !== '' && f.errno === E.ENOENT) {
    return because(
      `${helper} is not there: install newuidmap and newgidmap (package uidmap), or map only the user's own id`,
      'newuidmap(1)',
    );
  }
  switch (f.errno) {
    case E.EPERM:
    case E.EACCES:
      return helper === ''
        ? because(
            `the mapping holds ids that runt may not give away: without root only the user's own ${kind === 'gid' ? 'group' : 'id'} can be mapped, or ranges of /etc/sub${kind} through new${kind}map`,
            'user_namespaces(7), "Defining user and group ID mappings"',
          )
        : because(
            `/etc/sub${kind} does not give the mapped ids to the user: add a range (usermod --add-sub${kind}s)`,
            `sub${kind}(5)`,
          );
    case E.EINVAL:
      return because(
        'the kernel takes at most 340 mappings that do not overlap, on either side, with sizes above 0',
        'user_namespaces(7), "Defining user and group ID mappings"',
      );
    default:
      return undefined;
  }
}

function rlimitHint(f: Failure): Hint | undefined {
  if (f.op.op !== 'rlimit') return undefined;
  const nofile = 7;
  if (f.errno === E.EPERM) {
    return because(
      `only CAP_SYS_RESOURCE may raise a hard limit, and runt has not got it${Number(f.op.resource) === nofile ? ' (or the limit is above the sysctl fs.nr_open)' : ''}: ask for a limit that is not above its own`,
      'getrlimit(2)',
    );
  }
  if (f.errno === E.EINVAL)
    return because('the soft limit is above the hard limit, or the kernel does not know this limit', 'getrlimit(2)');
  return undefined;
}
