/** Known causes of failures of id maps and of the process's ids. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { idTable } from './id-ops.js';

export const idFailures: Failures<keyof typeof idTable> = {
  setGroupsPolicy: {
    code: 'ERR_ID_MAP',
    hint: (f) =>
      f.errno === E.EPERM
        ? hintOf(
            'run runt outside of its user namespace: setgroups(2) is denied there, and cannot be allowed again in a namespace below',
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
        ? hintOf(
            'map containerID 0 in linux.uidMappings and linux.gidMappings: runt-init sets the container up as its root, and that is not mapped',
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
    return hintOf(
      `install newuidmap and newgidmap (package uidmap), or map only the user's own id: ${helper} is not there`,
      'newuidmap(1)',
    );
  }
  switch (f.errno) {
    case E.EPERM:
    case E.EACCES:
      return helper === undefined
        ? hintOf(
            `map only the user's own ${kind === 'gid' ? 'group' : 'id'}, or ranges that /etc/sub${kind} gives to the user, with new${kind}map installed: without root runt may map no others`,
            'user_namespaces(7), "Defining user and group ID mappings"',
          )
        : hintOf(
            `add a range (usermod --add-sub${kind}s): /etc/sub${kind} does not give the mapped ids to the user`,
            `sub${kind}(5)`,
          );
    case E.EINVAL:
      return hintOf(
        'give at most 340 mappings, with sizes above 0, that do not overlap inside or outside: the kernel takes nothing else',
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
      ? hintOf(
          'map the groups of process.user.additionalGids in linux.gidMappings, or remove them: the user namespace does not map one of them',
          'user_namespaces(7)',
        )
      : hintOf(
          `map user ${op.uid} in linux.uidMappings and group ${op.gid} in linux.gidMappings, or use mapped ids in process.user: the user namespace does not map one of them`,
          'user_namespaces(7)',
        );
  }
  if (f.errno === E.EINVAL && groups)
    return hintOf('remove groups from process.user.additionalGids: there are more than 65536', 'setgroups(2)');
  if (f.errno === E.EPERM && groups) {
    return hintOf(
      'remove process.user.additionalGids, or map groups through newgidmap: setgroups(2) is denied in this user namespace, because an ordinary user wrote its gid map',
      'user_namespaces(7), "The /proc/pid/setgroups file"',
    );
  }
  if (f.errno === E.EAGAIN)
    return hintOf('raise RLIMIT_NPROC in process.rlimits: the user has more processes than it allows', 'setresuid(2)');
  return undefined;
}

function namedUserHint(f: Failure, op: OpOf<'namedUser'>): Hint | undefined {
  const file = f.syscall === 'group' || f.detail === '/etc/group' ? '/etc/group' : '/etc/passwd';
  const see = file === '/etc/group' ? 'group(5)' : 'passwd(5)';
  const kind = file === '/etc/group' ? 'group' : 'user';
  if (f.syscall === 'open') return hintOf(`give numbers: ${file} of the container cannot be read`, see);
  if (f.syscall.startsWith('setgroups')) return userHint(f, { ...op, op: 'user', uid: 0 });
  if (f.syscall !== 'passwd' && f.syscall !== 'group') {
    if (f.errno !== E.EINVAL || !f.facts.userNamespace) return undefined;
    return hintOf(`use a mapped user: the user namespace does not map ${op.user}`, 'user_namespaces(7)');
  }
  const name = JSON.stringify(f.detail);
  return f.errno === E.ENOENT
    ? hintOf(`add the ${kind} ${name} to the image, or give a number: ${file} of the container does not have it`, see)
    : hintOf(`correct the line of ${name} in ${file} of the container, or give a number: it has no usable id`, see);
}
