/** Known causes of failures to join a namespace by its path, or to go on in a pid namespace. */
import { E } from '../../sys/errno.js';
import { CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from '../../sys/linux.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';

const noTime = 'this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS): remove "time" from linux.namespaces';

export function namespaceJoinHint(f: Failure): Hint | undefined {
  const forks = f.op.op === 'fork' || f.op.op === 'cgroupFork';
  if (forks && f.errno === E.EAGAIN) {
    return because(
      'no more processes may be made: raise linux.resources.pids.limit, pids.max of the cgroups above, or the limit of processes of the user (ulimit -u)',
      'fork(2)',
    );
  }
  if (forks && f.errno === E.ENOMEM) {
    return because(
      'the first process of the pid namespace has ended, and with it the namespace: no process can begin in it any more',
      'pid_namespaces(7), "The namespace init process"',
    );
  }
  if (f.op.op === 'timeOpen' && f.errno === E.ENOENT) return because(noTime, 'time_namespaces(7)');
  if (f.op.op === 'timeEnter' && f.errno === E.ERANGE) {
    return because(
      'with the offset the clock would be below zero, or beyond 146 years: choose another',
      'time_namespaces(7)',
    );
  }
  if (f.op.op !== 'setns') return undefined;
  const flag = Number(f.op.flag);
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
