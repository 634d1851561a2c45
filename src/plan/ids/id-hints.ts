/** Known causes of failures of id maps and of the process's ids. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { idTable } from './id-ops.js';

export const idFailures: Failures<keyof typeof idTable> = {
  setGroupsPolicy: {
    code: 'ERR_ID_MAP',
    hint: (f) =>
      f.errno === E.EPERM
        ? because(
            'setgroups was denied in an outer user namespace already and cannot be allowed again inside',
            'user_namespaces(7)',
          )
        : undefined,
  },
  idMap: { code: 'ERR_ID_MAP', hint: idMapHint },
  idMapVerify: { code: 'ERR_ID_MAP' },
  // These causes need the host: src/container/failure/idmap-failure.ts.
  idMapNamespace: { code: 'ERR_MOUNT' },
  idMapTree: { code: 'ERR_MOUNT' },
  sync: { code: 'ERR_INIT' },
  becomeRoot: {
    code: 'ERR_ID_MAP',
    hint: (f) =>
      f.errno === E.EINVAL
        ? because(
            'id 0 of the container is not mapped, and the container is set up as its root: map containerID 0 in linux.uidMappings and linux.gidMappings',
            'user_namespaces(7)',
          )
        : undefined,
  },
  keepGroups: { code: 'ERR_INIT' },
  user: { code: 'ERR_PRIVILEGE', hint: userHint },
  namedUser: { code: 'ERR_PRIVILEGE', hint: namedUserHint },
};

function idMapHint(f: Failure, { kind, helper }: OpOf<'idMap'>): Hint | undefined {
  if (helper !== undefined && f.errno === E.ENOENT) {
    return because(
      `${helper} is not there: install newuidmap and newgidmap (package uidmap), or map only the user's own id`,
      'newuidmap(1)',
    );
  }
  switch (f.errno) {
    case E.EPERM:
    case E.EACCES:
      return helper === undefined
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

function userHint(f: Failure, op: OpOf<'user'>): Hint | undefined {
  const { userNamespace } = f.facts;
  const groups = f.syscall.startsWith('setgroups');
  if (f.errno === E.EINVAL && userNamespace) {
    return groups
      ? because(
          'a group of process.user.additionalGids is not mapped in the user namespace: map it in linux.gidMappings, or remove it',
          'user_namespaces(7)',
        )
      : because(
          `user ${op.uid} or group ${op.gid} is not mapped in the user namespace: map it in linux.uidMappings and gidMappings, or use a mapped one in process.user`,
          'user_namespaces(7)',
        );
  }
  if (f.errno === E.EINVAL && groups)
    return because('there are more than 65536 groups in process.user.additionalGids', 'setgroups(2)');
  if (f.errno === E.EPERM && groups) {
    return because(
      'setgroups is denied in this user namespace, because an ordinary user wrote its gid map: remove process.user.additionalGids, or map groups through newgidmap',
      'user_namespaces(7), "The /proc/pid/setgroups file"',
    );
  }
  if (f.errno === E.EAGAIN)
    return because(
      'the user has more processes than his limit allows (RLIMIT_NPROC in process.rlimits): raise it',
      'setresuid(2)',
    );
  return undefined;
}

function namedUserHint(f: Failure, op: OpOf<'namedUser'>): Hint | undefined {
  const file = f.syscall === 'group' || f.detail === '/etc/group' ? '/etc/group' : '/etc/passwd';
  const see = file === '/etc/group' ? 'group(5)' : 'passwd(5)';
  const kind = file === '/etc/group' ? 'group' : 'user';
  if (f.syscall === 'open') return because(`${file} of the container cannot be read: give numbers`, see);
  if (f.syscall.startsWith('setgroups')) return userHint(f, { ...op, op: 'user', uid: 0 });
  if (f.syscall !== 'passwd' && f.syscall !== 'group') {
    if (f.errno !== E.EINVAL || !f.facts.userNamespace) return undefined;
    return because(`${op.user} is not mapped in the user namespace: use one that is`, 'user_namespaces(7)');
  }
  const name = JSON.stringify(f.detail);
  return f.errno === E.ENOENT
    ? because(`${file} of the container has no ${kind} ${name}: add it to the image, or give a number`, see)
    : because(`${file} of the container has no usable id for ${name}: correct the line, or give a number`, see);
}
