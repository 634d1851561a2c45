/** Operations of ids: maps of user namespaces, the user and the groups. */
import { table, type Word } from '../op-shape.js';

export const idTable = table({
  setGroupsPolicy: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { value: 'str' },
    doc: 'write /proc/PID/setgroups',
  },
  idMap: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { kind: 'str' as Word<'uid' | 'gid'>, lines: 'list', helper: 'str?' },
    doc: 'write uid_map or gid_map (kind), by helper (newuidmap, newgidmap) if there is one',
  },
  idMapVerify: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { kind: 'str' as Word<'uid' | 'gid'>, lines: 'list' },
    doc: "read uid_map or gid_map (kind) of runt-init, which has joined a user namespace: it must equal the config's",
  },
  idMapNamespace: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str?', uids: 'list', gids: 'list', slot: 'fd' },
    doc: 'make a user namespace with these lines as its id maps (or open the one at path), for id-mapped mounts; found at slot',
  },
  idMapTree: {
    by: 'runtime',
    phase: 'prepare',
    fields: { source: 'str', tree: 'fd', recursive: 'bool', slot: 'fd' },
    doc: 'mount_setattr(MOUNT_ATTR_IDMAP): give the tree that openTree cloned from source into slot `tree` the id maps of the user namespace at slot, all mounts of it when recursive',
  },
  sync: {
    code: 35,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'wait until the runtime has written the id maps, or has made the cgroups',
  },
  becomeRoot: {
    code: 36,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'setgroups([]) where allowed, setresgid(0), setresuid(0) in the new user namespace',
  },
  keepGroups: {
    code: 142,
    by: 'init',
    phase: 'identity',
    fields: {},
    doc: 'keep the supplementary groups: becomeRoot does not drop them',
  },
  user: {
    code: 58,
    by: 'init',
    phase: 'identity',
    fields: { uid: 'int', gid: 'int', groups: 'int[]', setGroups: 'bool', groupsOptional: 'bool', umask: 'int?' },
    doc: 'setgroups (setGroups; groupsOptional: may be denied when there are no groups), setresgid, setresuid keeping capabilities, umask',
  },
  namedUser: {
    code: 87,
    by: 'init',
    phase: 'identity',
    fields: {
      user: 'str',
      group: 'str?',
      gid: 'int',
      groups: 'int[]',
      setGroups: 'bool',
      groupsOptional: 'bool',
      umask: 'int?',
      pipes: 'bool',
    },
    doc: 'exec: as user, by names from /etc/passwd and /etc/group of the container; digits are a number; gid if neither has one. A user name without a group gets the groups that list it; changes the owner of stdio as stdioOwner',
  },
});
