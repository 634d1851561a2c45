/** Each known cause of a failure has its hint; an unknown cause has none. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Failure, hintFor } from '../../../src/plan/failure/op-hints.js';
import { mountFs as fsMount, mountBind } from '../../../src/plan/mounts/mount-op.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { E } from '../../../src/sys/errno.js';
import { CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWUSER } from '../../../src/sys/linux.js';

interface Around {
  syscall?: string;
  detail?: string;
  userNamespace?: boolean;
  rootless?: boolean;
  spec?: Partial<Spec>;
}

function hint(op: Op, errno: number, around: Around = {}): string {
  const failure: Failure = {
    op,
    errno,
    syscall: around.syscall ?? '',
    detail: around.detail ?? '',
    facts: { userNamespace: around.userNamespace ?? false, rootless: around.rootless ?? false },
    ...(around.spec && { spec: { ociVersion: '1.3.0', ...around.spec } as Spec }),
  };
  const found = hintFor(failure);
  if (found.hint !== undefined) {
    assert.not.match(found.hint, /undefined|NaN|\[object/, 'no field is missing');
    assert.not.match(found.hint, /[.\n]$/, 'the hint is a clause without a full stop');
  }
  return found.hint ?? '';
}

const mountFs = (fstype: string, more: Partial<Extract<Op, { op: 'mountFs' }>> = {}): Op =>
  fsMount({ at: '/mounts/1', target: '/target', fstype, source: fstype, options: [], attrs: 0, ...more });
const pivot: Op = { op: 'pivotRoot', at: '/root/path' };
const hostPropagation: Op = { op: 'hostPropagation', at: '', flags: 0 };
const bind: Op = mountBind({ at: '/mounts/2', target: '/data', source: '/srv/data' });
const remount: Op = { op: 'reconfigure', at: '/mounts/3', target: '/data', options: ['size=1'] };
const device = (bound: boolean): Op => ({
  op: 'device',
  at: '',
  path: '/dev/null',
  type: 'c',
  major: 1,
  minor: 3,
  mode: 0o666,
  uid: 0,
  gid: 0,
  bind: bound,
});
const write = (file: string): Op => ({
  op: 'cgroupWrite',
  at: '/linux/resources',
  path: `/sys/fs/cgroup/x/${file}`,
  value: '1',
});
const clone = (flags: number): Op => ({ op: 'clone', at: '/linux/namespaces', flags });
const idMap = (helper?: string): Op => ({
  op: 'idMap',
  at: '/linux/uidMappings',
  kind: 'uid',
  lines: ['0 1000 1'],
  helper,
});
const user: Op = {
  op: 'user',
  at: '/process/user',
  uid: 1000,
  gid: 50,
  groups: [7],
  setGroups: true,
  groupsOptional: false,
  umask: 18,
};
const cwd: Op = { op: 'cwd', at: '/process/cwd', path: '/work', optional: false };
const find = (name: string, path: string): Op => ({ op: 'findExecutable', at: '/process/args/0', name, path });
const exec: Op = { op: 'exec', at: '/process/args', args: ['/bin/app'], env: [], homeOfNamed: false };
const sysctl: Op = { op: 'sysctl', at: '/linux/sysctl', key: 'net/core/somaxconn', value: 'x' };
const rootfs: Op = { op: 'rootfs', at: '/root/path', path: '/bundle/rootfs' };
const without = (...types: string[]): Partial<Spec> => ({
  linux: {
    namespaces: (['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup', 'user'] as const)
      .filter((type) => !types.includes(type))
      .map((type) => ({ type })),
  },
});
const small: Partial<Spec> = { linux: { resources: { memory: { limit: 65536 } } } };
const rootlessUser: Around = { rootless: true, userNamespace: true };
const setns = (flag: number): Op => ({
  op: 'setns',
  at: '/linux/namespaces/0',
  path: '/n',
  flag,
  slot: 0,
  optional: false,
});
const netDevice: Op = { op: 'netDevice', at: '/linux/netDevices/eth1', name: 'eth1', target: 'eth0' };
const inUserns: Around = { userNamespace: true };
const rdt: Op = { op: 'rdtGroup', at: '/linux/intelRdt', path: '/sys/fs/resctrl/x', make: 'new', schemata: [] };
const rule: Op = {
  op: 'seccompProgram',
  at: '/linux/seccomp/syscalls/0/args',
  profile: { architectures: [], defaultAction: 0, syscalls: [] },
  slot: 0,
};
const filter = (at = '/linux/seccomp'): Op => ({ op: 'seccomp', at, slot: 0, flags: 0, late: false, summary: '' });
const terminal: Op = { op: 'terminal', at: '/process/terminal', slot: 0, uid: 1000, console: true };
const consoleSocket: Op = { op: 'consoleConnect', at: '', path: '/run/console', slot: 0 };
const label = (file: 'exec' | 'apparmor/exec'): Op => ({
  op: 'securityLabel',
  at: '',
  file,
  label: file === 'exec' ? 'a:b:c:d' : 'exec web',
});
const named: Op = {
  op: 'namedUser',
  at: '/process/user',
  user: 'web',
  group: 'www',
  gid: 0,
  groups: [],
  setGroups: true,
  groupsOptional: false,
  pipes: false,
};

/** The cause, the failed operation, errno, the circumstances, and the text that the hint must have. */
const causes: [cause: string, op: Op, errno: number, around: Around, says: RegExp][] = [
  // root file system
  ['the rootfs is missing', rootfs, E.ENOENT, {}, /^unpack an image at \/bundle\/rootfs/],
  ['the rootfs is a file', rootfs, E.ENOTDIR, {}, /^name a directory in root.path/],
  ['the mapped root cannot reach the rootfs', rootfs, E.EACCES, inUserns, /search .*o\+x/],
  ['pivot_root on a shared mount', { op: 'pivotRoot', at: '' }, E.EINVAL, {}, /--no-pivot.*shared/],
  [
    'pivot_root in a chroot',
    pivot,
    E.EINVAL,
    { detail: 'chroot' },
    /outside of the chroot: runt has left the chroot, and pivot_root/,
  ],
  ['a user namespace on a ramdisk', pivot, E.EPERM, { detail: 'ramdisk' }, /remove "user".*ramdisk/],
  ['a mount over the root of a ramdisk', pivot, E.EBUSY, { detail: 'ramdisk' }, /mounted over the ramdisk/],
  ["runt's root is not that of its mount namespace", pivot, E.EXDEV, { syscall: 'setns' }, /would run on the host/],
  ['runt cannot leave its chroot', hostPropagation, E.EPERM, { syscall: 'setns' }, /CAP_SYS_CHROOT/],
  [
    'the root is not on a mount of its namespace',
    hostPropagation,
    E.EINVAL,
    { syscall: 'open_tree' },
    /not on a mount of its mount namespace/,
  ],
  ['the rootfs is the root already', { op: 'pivotRoot', at: '' }, E.EBUSY, {}, /root of the host already/],
  [
    'a process has a file of the root open for writing',
    { op: 'readonlyRoot', at: '' },
    E.EBUSY,
    {},
    /end the process .*open for writing/,
  ],
  [
    'the kernel has no mounts in detached trees',
    { op: 'detachedRoot', at: '', path: '/r' },
    E.ENOSYS,
    {},
    /Linux 6\.15/,
  ],
  ['no rootfs to clone', { op: 'detachedRoot', at: '', path: '/r' }, E.ENOENT, {}, /^unpack an image at \/r/],
  ['a mount below a shared one is moved', { op: 'moveRoot', at: '' }, E.EINVAL, {}, /--make-rprivate/],

  // mounts
  [
    'an id that is not mapped as a mount option',
    mountFs('tmpfs', { options: ['mode=755', 'uid=1000'] }),
    E.EINVAL,
    inUserns,
    /^map the id of "uid=1000"/,
  ],
  [
    "an option that the file system refuses, with the kernel's message",
    mountFs('tmpfs', { options: ['mode=rubbish'] }),
    E.EINVAL,
    { detail: "tmpfs: Bad value for 'mode'" },
    /kernel says "tmpfs: Bad value for 'mode'"/,
  ],
  [
    'an option that the file system refuses, without a message of the kernel',
    mountFs('tmpfs', { options: ['huge=odd'] }),
    E.EINVAL,
    { detail: '/target' },
    /^correct the options huge=odd.*tmpfs does not take/,
  ],
  [
    'the only option is refused, without a message of the kernel',
    mountFs('tmpfs', { options: ['mode=755', 'size=a b'] }),
    E.EINVAL,
    { syscall: 'fsconfig', detail: 'size=a b' },
    /option "size=a b": tmpfs does not take it/,
  ],
  [
    'options that are too long',
    mountFs('overlay'),
    E.E2BIG,
    { detail: 'the options are longer than a page' },
    /too long/,
  ],
  ['an unknown type', mountFs('zfs'), E.ENODEV, {}, /^load the module of "zfs".*\/proc\/filesystems/],
  ['no block device', mountFs('ext4', { source: '/img' }), E.ENOTBLK, {}, /block device, and \/img is not one/],
  ['no device behind the node', mountFs('ext4', { source: '/dev/sdz' }), E.ENXIO, {}, /no device behind \/dev\/sdz/],
  ['v1 controllers are grouped in another way', mountFs('cgroup'), E.EBUSY, {}, /^group the controllers/],
  [
    'a proc mount where the host masks /proc',
    mountFs('proc'),
    E.EPERM,
    { ...inUserns, spec: without() },
    /parts of \/proc are masked/,
  ],
  [
    'a private procfs where the host masks /proc',
    { op: 'procfs', at: '' },
    E.EPERM,
    inUserns,
    /parts of \/proc are masked/,
  ],
  ['proc without a pid namespace', mountFs('proc'), E.EPERM, { ...inUserns, spec: without('pid') }, /add "pid"/],
  [
    'sysfs without a network namespace',
    mountFs('sysfs'),
    E.EPERM,
    { ...inUserns, spec: without('network') },
    /add "network".*rbind/,
  ],
  [
    'sysfs where the host covers /sys',
    mountFs('sysfs'),
    E.EPERM,
    { ...inUserns, spec: without() },
    /rbind.*parts are covered/,
  ],
  ['mqueue without an ipc namespace', mountFs('mqueue'), E.EPERM, { spec: without('ipc') }, /add "ipc"/],
  [
    'cgroup2 without a cgroup namespace',
    mountFs('cgroup2'),
    E.EPERM,
    { ...inUserns, spec: without('cgroup') },
    /add "cgroup"/,
  ],
  ['a type that users may not mount', mountFs('ext4'), E.EPERM, { ...inUserns, spec: without() }, /may not mount ext4/],
  ['no CAP_SYS_ADMIN', mountFs('tmpfs'), E.EPERM, { spec: without() }, /CAP_SYS_ADMIN/],
  ['too many mounts', mountFs('tmpfs'), E.ENOSPC, { syscall: 'move_mount' }, /fs\.mount-max/],
  [
    'too many mounts for a bind',
    { op: 'openTree', at: '', source: '/srv', recursive: true, nofollow: false, optional: false, slot: 0 },
    E.ENOSPC,
    { syscall: 'open_tree' },
    /fs\.mount-max/,
  ],
  [
    'a pid namespace whose init has ended',
    { op: 'fork', at: '/linux/namespaces' },
    E.ENOMEM,
    {},
    /its first process has ended/,
  ],
  [
    'no room for a process in the cgroup',
    { op: 'cgroupFork', at: '/linux/cgroupsPath', path: '/sys/fs/cgroup/c/', slot: 0 },
    E.EAGAIN,
    {},
    /raise linux.resources.pids.limit/,
  ],
  ['a user namespace of another user', setns(CLONE_NEWUSER), E.EPERM, {}, /as root, or as the user who made/],
  [
    'a namespace of the host, rootless',
    setns(CLONE_NEWNET),
    E.EPERM,
    rootlessUser,
    /^join the user namespace that owns/,
  ],
  ['a namespace of another user namespace', setns(CLONE_NEWNET), E.EPERM, {}, /or no user namespace/],
  ['a pid namespace above', setns(CLONE_NEWPID), E.EINVAL, {}, /above or beside/],
  ['no time namespaces', { op: 'timeOpen', at: '/linux/timeOffsets' }, E.ENOENT, {}, /no time namespaces/],
  [
    'an offset that is too large',
    { op: 'timeEnter', at: '/linux/timeOffsets', monotonic: 9_000_000_000, monotonicNanosecs: 0, boottimeNanosecs: 0 },
    E.ERANGE,
    {},
    /below zero, or beyond 146 years/,
  ],
  ['a network device that does not exist', netDevice, E.ENODEV, {}, /runt has no eth1/],
  ['a network device name that is in use', netDevice, E.EEXIST, {}, /device eth0 already/],
  ['a network device that may not leave its namespace', netDevice, E.EINVAL, {}, /does not let eth1 leave/],
  ['network devices without CAP_NET_ADMIN', netDevice, E.EPERM, {}, /CAP_NET_ADMIN/],
  [
    'a full disk',
    { op: 'mkdir', at: '', path: '/d', mode: 0o755 },
    E.ENOSPC,
    { syscall: 'mkdirat' },
    /full, or has no inode/,
  ],
  [
    'a mount target in a read-only rootfs',
    mountFs('tmpfs'),
    E.EROFS,
    { syscall: 'mkdirat' },
    /^make \/target in the image.*read-only/,
  ],
  [
    'a directory in a read-only rootfs',
    { op: 'mkdir', at: '/process/cwd', path: '/d', mode: 0o755 },
    E.EROFS,
    {},
    /read-only/,
  ],
  [
    'a file that its new owner has no quota for',
    { op: 'stdioOwner', at: '/process/user', uid: 7, pipes: false },
    E.EDQUOT,
    { detail: 'stdout' },
    /^raise the quota of user 7.*stdout/,
  ],
  [
    'a rootfs without /proc, of an owner that is not mapped',
    mountFs('proc'),
    E.EACCES,
    { ...inUserns, syscall: 'openat2' },
    /^give root of the container access to the directories/,
  ],
  [
    'a mount point below /proc, where nothing can be made',
    mountFs('tmpfs'),
    E.ENOENT,
    { syscall: 'openat2' },
    /^correct the path.*cannot be made.*proc, sysfs/,
  ],
  [
    'a mount point of a bind in an immutable directory',
    bind,
    E.EPERM,
    { ...inUserns, syscall: 'openat2' },
    /^correct the path.*cannot be made.*immutable/,
  ],
  ['/proc of the rootfs is a symlink', mountFs('proc'), E.ELOOP, {}, /symbolic link.*redirect/],
  ['a file in the way of a directory', mountFs('tmpfs'), E.ENOTDIR, {}, /is a file in the rootfs/],
  [
    'a directory that root of the container cannot write',
    mountFs('tmpfs'),
    E.EACCES,
    {},
    /perhaps because the user namespace does not map/,
  ],
  [
    'a rootfs of an owner that is not mapped',
    { op: 'mkdir', at: '', path: '/d', mode: 0o755 },
    E.EOVERFLOW,
    inUserns,
    /^change the owner.*does not map/,
  ],
  ['a bind source that is missing', bind, E.ENOENT, { detail: '/srv/data' }, /^make \/srv\/data .*does not exist/],
  [
    'a bind source that is missing, opened before',
    { op: 'openTree', at: '/mounts/2', source: '/srv', recursive: true, nofollow: false, optional: false, slot: 0 },
    E.ENOENT,
    {},
    /^make \/srv .*does not exist/,
  ],
  [
    'a bind source that cannot be reached',
    { op: 'openTree', at: '/mounts/2', source: '/srv', recursive: true, nofollow: false, optional: false, slot: 0 },
    E.EACCES,
    {},
    /may not search/,
  ],
  [
    'an unbindable bind source',
    { op: 'openTree', at: '/mounts/2', source: '/srv', recursive: false, nofollow: false, optional: false, slot: 0 },
    E.EINVAL,
    {},
    /rbind.*unbindable/,
  ],
  [
    'a file over a directory',
    bind,
    E.ENOTDIR,
    {},
    /remove \/data from the rootfs: it is one of these, and \/srv\/data the other/,
  ],
  [
    'something else where a symlink is copied to',
    bind,
    E.EEXIST,
    {},
    /^remove \/data from the rootfs, or bind without/,
  ],
  [
    'a file over a directory',
    bind,
    E.ENOTDIR,
    {},
    /remove \/data from the rootfs: it is one of these, and \/srv\/data the other/,
  ],
  [
    'another file at the destination of a copied symlink',
    bind,
    E.EEXIST,
    {},
    /^remove \/data from the rootfs, or bind without/,
  ],
  [
    'a remount of a path that is not a mount point',
    remount,
    E.EINVAL,
    { syscall: 'fspick' },
    /nothing is mounted on \/data/,
  ],
  ['a remount of a missing path', remount, E.ENOENT, { detail: '/data' }, /nothing is mounted on \/data/],
  [
    'a remount with an option for new mounts only',
    remount,
    E.EINVAL,
    { syscall: 'fsconfig', detail: 'size=1' },
    /^give "size=1" when/,
  ],
  ['a remount of a superblock of the host', remount, E.EPERM, { ...inUserns, syscall: 'fsconfig' }, /add "bind"/],
  ['too much to copy up', mountFs('tmpfs'), E.ENOSPC, { syscall: 'tmpcopyup' }, /does not fit into it/],
  ['nosymfollow on an old kernel', mountFs('tmpfs', { attrs: 0x200000 }), E.EINVAL, { syscall: 'fsmount' }, /5\.14/],
  ['recursive options on an old kernel', bind, E.ENOSYS, { syscall: 'mount_setattr' }, /5\.12: .*mounts below/],
  ['a device to copy up', mountFs('tmpfs'), E.EPERM, { ...inUserns, syscall: 'tmpcopyup' }, /or remove tmpcopyup/],
  ['flags that the host has locked', bind, E.EPERM, inUserns, /a user namespace cannot remove them/],
  [
    'flags that the host has locked, set later',
    { op: 'mountAttrs', at: '', target: '/data', setAttrs: 0, clearAttrs: 1, recursive: false },
    E.EPERM,
    inUserns,
    /a user namespace cannot remove them/,
  ],
  [
    'an id-mapped mount of a file system that does not support it',
    bind,
    E.EINVAL,
    { syscall: 'mount_setattr' },
    /no id-mapped mounts/,
  ],
  ['a device node in a user namespace', device(true), E.EPERM, inUserns, /no such node to bind/],
  ['no CAP_MKNOD', device(false), E.EPERM, {}, /CAP_MKNOD/],
  [
    'a node that the host does not have either',
    device(true),
    E.ENOENT,
    inUserns,
    /^make \/dev\/null on the host.*neither \/dev\/null/,
  ],
  ['another node on the host', device(true), E.ENODEV, inUserns, /^make the device c 1:3 at/],
  [
    'a /dev/null that is not the null device',
    { op: 'mask', at: '', path: '/proc/kcore' },
    E.ENODEV,
    {},
    /not the null device/,
  ],
  ['another file at the path of a node', device(false), E.EEXIST, {}, /^remove \/dev\/null from the rootfs/],
  [
    'a link in a read-only rootfs',
    { op: 'symlink', at: '', content: 'x', path: '/dev/fd', required: false },
    E.EROFS,
    {},
    /read-only/,
  ],
  ['a masked path through a link', { op: 'mask', at: '', path: '/proc/kcore' }, E.ELOOP, {}, /symbolic link/],

  // namespaces and ids
  ['a kernel without time namespaces', clone(0x00020080), E.EINVAL, {}, /no time namespaces/],
  [
    'a kernel without cgroup namespaces',
    { op: 'unshare', at: '', flags: 0x02000000 },
    E.EINVAL,
    {},
    /no cgroup namespaces/,
  ],
  ['a kernel without some namespace', clone(0x00020000), E.EINVAL, {}, /\/proc\/self\/ns/],
  ['too many user namespaces', clone(0x10000000), E.ENOSPC, {}, /user\.max_user_namespaces/],
  ['user namespaces forbidden', clone(0x10020000), E.EPERM, { rootless: true }, /unprivileged_userns_clone/],
  ['namespaces without root', clone(0x00020000), E.EPERM, { rootless: true }, /^run runt as root.*CAP_SYS_ADMIN/],
  ['namespaces in a sandbox', clone(0x00020000), E.EPERM, {}, /^give runt CAP_SYS_ADMIN.*seccomp filter/],
  ['too many processes', clone(0x00020000), E.EAGAIN, {}, /pids\.max/],
  ['newuidmap is missing', idMap('newuidmap'), E.ENOENT, rootlessUser, /install newuidmap/],
  ['newuidmap refuses', idMap('/usr/bin/newuidmap'), E.EPERM, rootlessUser, /\/etc\/subuid does not give/],
  ['an id that the user may not map', idMap(), E.EPERM, rootlessUser, /only the user's own id/],
  ['mappings that overlap', idMap(), E.EINVAL, {}, /340 mappings/],
  [
    'setgroups was denied outside',
    { op: 'setGroupsPolicy', at: '', value: 'allow' },
    E.EPERM,
    rootlessUser,
    /denied there/,
  ],
  ['root of the container is not mapped', { op: 'becomeRoot', at: '' }, E.EINVAL, inUserns, /^map containerID 0/],
  [
    'the user is not mapped',
    user,
    E.EINVAL,
    { ...inUserns, syscall: 'setresuid' },
    /^map user 1000 in linux.uidMappings and group 50/,
  ],
  [
    'a supplementary group is not mapped',
    user,
    E.EINVAL,
    { ...inUserns, syscall: 'setgroups' },
    /^map the groups of process.user.additionalGids/,
  ],
  ['too many groups', user, E.EINVAL, { syscall: 'setgroups' }, /more than 65536/],
  ['setgroups is denied', user, E.EPERM, { ...rootlessUser, syscall: 'setgroups' }, /setgroups\(2\) is denied/],
  ['too many processes of the user', user, E.EAGAIN, { syscall: 'setresuid' }, /RLIMIT_NPROC/],

  // cgroups
  [
    'a cgroup that is not delegated',
    { op: 'cgroupCreate', at: '', path: '/sys/fs/cgroup/x' },
    E.EACCES,
    { rootless: true },
    /^delegate .*Delegate=yes/,
  ],
  [
    'a move out of the delegated cgroups',
    { op: 'cgroupOpen', at: '', path: '/sys/fs/cgroup/x/tasks', slot: 0 },
    E.EACCES,
    { rootless: true },
    /^delegate /,
  ],
  [
    'cgroups are mounted read-only',
    { op: 'cgroupCreate', at: '', path: '/sys/fs/cgroup/x' },
    E.EROFS,
    {},
    /mounted read-only/,
  ],
  [
    'too many cgroups',
    { op: 'cgroupCreate', at: '', path: '/sys/fs/cgroup/x' },
    E.EAGAIN,
    {},
    /cgroup\.max\.descendants/,
  ],
  [
    'a memory limit that is too low',
    write('memory.limit_in_bytes'),
    E.EBUSY,
    { spec: small },
    /^raise .*may use 65536 bytes/,
  ],
  ['more memory in use than the limit', write('memory.limit_in_bytes'), E.EBUSY, {}, /more memory is in use/],
  ['memory and swap below memory', write('memory.memsw.limit_in_bytes'), E.EINVAL, {}, /at least the limit of memory/],
  ['no swap accounting on v1', write('memory.memsw.limit_in_bytes'), E.ENOENT, {}, /does not account swap/],
  ['no swap accounting on v2', write('memory.swap.max'), E.ENOENT, {}, /does not account swap/],
  ['no kernel memory limit', write('memory.kmem.limit_in_bytes'), E.EOPNOTSUPP, {}, /^remove kernel and kernelTCP/],
  ['no real-time groups', write('cpu.rt_runtime_us'), E.ENOENT, {}, /CONFIG_RT_GROUP_SCHED/],
  ['no burst', write('cpu.max.burst'), E.ENOENT, {}, /Linux 5\.14/],
  ['no cpu.idle', write('cpu.idle'), E.ENOENT, {}, /Linux 5\.15/],
  ['another file that is missing', write('memory.high'), E.ENOENT, {}, /this one has no memory\.high/],
  ['a CPU that does not exist', write('cpuset.cpus'), E.EINVAL, {}, /^name CPUs and memory nodes/],
  ['a quota that is too small', write('cpu.cfs_quota_us'), E.EINVAL, {}, /1000 µs/],
  ['real-time without a share of the parent', write('cpu.rt_runtime_us'), E.EINVAL, {}, /must fit into its period/],
  [
    'a device that the parent does not allow',
    write('devices.allow'),
    E.EPERM,
    {},
    /^allow the device in the parent cgroup/,
  ],
  [
    'an empty cpuset',
    { op: 'cgroupEnter', at: '', path: '/sys/fs/cgroup/cpuset/x/tasks', slot: 0 },
    E.ENOSPC,
    {},
    /has no CPU or no memory node/,
  ],
  [
    'a v2 cgroup that has children with controllers',
    { op: 'clone', at: '', flags: 0, cgroup: '/sys/fs/cgroup/x' },
    E.EBUSY,
    { syscall: 'write' },
    /cannot hold a process/,
  ],
  [
    'a threaded v2 cgroup',
    { op: 'clone', at: '', flags: 0, cgroup: '/sys/fs/cgroup/x' },
    E.EOPNOTSUPP,
    { syscall: 'write' },
    /threaded/,
  ],
  [
    'processes in a cgroup above',
    { op: 'cgroupControllers', at: '', path: '/x', top: '/', required: [], wanted: [] },
    E.EBUSY,
    {},
    /^move the processes of the cgroup above/,
  ],
  [
    'a controller in a threaded tree',
    { op: 'cgroupControllers', at: '', path: '/x', top: '/', required: ['memory'], wanted: [] },
    E.EOPNOTSUPP,
    {},
    /threaded/,
  ],
  [
    'weights without a scheduler that has them',
    { op: 'cgroupWriteFirst', at: '', paths: ['/x/io.bfq.weight', '/x/io.weight'], values: ['1', '1'], required: true },
    E.ENOENT,
    { detail: '/x/io.bfq.weight' },
    /BFQ scheduler/,
  ],
  [
    'a real-time limit that the parent lacks',
    { op: 'cgroupRealtime', at: '', path: '/x', file: 'cpu.rt_runtime_us', value: '9' },
    E.EINVAL,
    {},
    /^give the parent cgroup real-time runtime/,
  ],
  [
    'an unsupported size of huge pages',
    { op: 'cgroupWrite', at: '', path: '/x/hugetlb.7MB.max', value: '1' },
    E.ENOENT,
    {},
    /no huge pages of this size/,
  ],
  [
    'a disk that does not exist',
    { op: 'cgroupWrite', at: '', path: '/x/io.max', value: '9:9 rbps=1' },
    E.ENODEV,
    {},
    /no block device of this number/,
  ],
  [
    'a controller that the parent does not enable',
    { op: 'cgroupControllers', at: '', path: '/x', top: '/', required: [], wanted: [] },
    E.ENOENT,
    {},
    /cgroup\.subtree_control/,
  ],
  [
    'no right to attach a device filter',
    { op: 'cgroupDevices', at: '', path: '/x', filter: { allow: false, exceptions: [] } },
    E.EPERM,
    {},
    /CAP_BPF/,
  ],
  [
    'no device filters in the kernel',
    { op: 'cgroupDevices', at: '', path: '/x', filter: { allow: false, exceptions: [] } },
    E.EINVAL,
    {},
    /CONFIG_CGROUP_BPF/,
  ],
  [
    'too many device filters',
    { op: 'cgroupDevices', at: '', path: '/x', filter: { allow: false, exceptions: [] } },
    E.E2BIG,
    {},
    /64 device filters/,
  ],

  // limits and kernel settings
  [
    'oom_score_adj without CAP_SYS_RESOURCE',
    { op: 'oomScoreAdj', at: '', value: -998 },
    E.EACCES,
    {},
    /oom_score_adj.*CAP_SYS_RESOURCE/,
  ],
  [
    'a hard limit without CAP_SYS_RESOURCE',
    { op: 'rlimit', at: '', resource: 3, soft: 1, hard: 2 },
    E.EPERM,
    {},
    /^set a limit no higher than that of runt itself, or /,
  ],
  [
    'a hard limit of a process in a user namespace',
    { op: 'prlimit', at: '', resource: 3, soft: 1, hard: 2 },
    E.EPERM,
    inUserns,
    /raising a hard limit needs that capability/,
  ],
  [
    'a v2 cgroup with enabled controllers, which cannot have processes',
    { op: 'cgroupFork', at: '', path: '/sys/fs/cgroup/x/', slot: 0 },
    E.EBUSY,
    { syscall: 'write' },
    /gives controllers to its children/,
  ],
  [
    'a v2 cgroup that may not be opened',
    { op: 'cgroupDirectory', at: '', path: '/sys/fs/cgroup/x', slot: 0 },
    E.EACCES,
    {},
    /^delegate this cgroup to the user/,
  ],
  ['open files above nr_open', { op: 'rlimit', at: '', resource: 7, soft: 1, hard: 2 }, E.EPERM, {}, /fs\.nr_open/],
  [
    'a soft limit above the hard one',
    { op: 'rlimit', at: '', resource: 7, soft: 3, hard: 2 },
    E.EINVAL,
    {},
    /soft limit is above/,
  ],
  ['a sysctl that does not exist', sysctl, E.ENOENT, {}, /sysctl net\.core\.somaxconn, or remove it/],
  ['a sysctl of the host', sysctl, E.EACCES, {}, /belongs to the whole host/],
  ['a sysctl on a read-only proc', sysctl, E.EROFS, {}, /belongs to the whole host/],
  ['a sysctl value that the kernel refuses', sysctl, E.EINVAL, {}, /does not take "x" for net\.core\.somaxconn/],
  [
    'a hostname that is too long',
    { op: 'hostname', at: '/hostname', name: 'x'.repeat(65) },
    E.EINVAL,
    {},
    /at most 64 bytes/,
  ],
  [
    'a hostname without a uts namespace',
    { op: 'domainname', at: '/domainname', name: 'x' },
    E.EPERM,
    {},
    /change the domainname of the host/,
  ],
  [
    'too many keyrings',
    { op: 'keyring', at: '', name: '_ses.x' },
    E.EDQUOT,
    {},
    /kernel\.keys\.maxkeys.*--no-new-keyring/,
  ],
  ['no keyrings', { op: 'keyring', at: '', name: '_ses.x' }, E.ENOSYS, {}, /no keyrings/],

  // process
  [
    'capabilities that runt does not have',
    { op: 'capabilities', at: '', effective: 1, permitted: 1, inheritable: 0, ambient: 0 },
    E.EPERM,
    {},
    /cannot grant them/,
  ],
  ['a bounding set that cannot be dropped', { op: 'bounding', at: '', mask: 0 }, E.EPERM, inUserns, /capabilities/],
  ['no working directory', cwd, E.ENOENT, { syscall: 'openat2' }, /^make \/work in the image/],
  ['a working directory outside of the root', cwd, E.ENOENT, { syscall: 'getcwd' }, /inside of the container's root/],
  ['a working directory that is a file', cwd, E.ENOTDIR, {}, /is a file in the container/],
  ['a working directory that the user may not enter', cwd, E.EACCES, {}, /search permission on \/work/],
  [
    'a program that is not in PATH',
    find('app', '/usr/bin:/bin'),
    E.ENOENT,
    {},
    /^add "app" to the image.*\(\/usr\/bin:\/bin\)/,
  ],
  ['no PATH', find('app', ''), E.ENOENT, {}, /without PATH/],
  ['no program', find('', '/bin'), E.ENOENT, {}, /args\[0\]: it is empty/],
  ['a missing program with a path', find('/bin/app', '/bin'), E.ENOENT, {}, /add \/bin\/app to the image/],
  ['a directory as program', find('/bin', '/bin'), E.EISDIR, { detail: '/bin' }, /\/bin is a directory/],
  ['a program without permission', find('/bin/app', '/bin'), E.EACCES, {}, /chmod \+x/],
  ['a program below a file', find('/bin/app/x', '/bin'), E.ENOTDIR, {}, /is a file/],
  [
    'a script whose interpreter is missing',
    exec,
    E.ENOENT,
    { detail: '/bin/app: #!/bin/bash' },
    /#!\/bin\/bash is not in the container/,
  ],
  [
    'a dynamic loader that is missing',
    exec,
    E.ENOENT,
    { detail: '/bin/app: loader /lib64/ld-linux-x86-64.so.2' },
    /its loader \/lib64\/ld-linux-x86-64\.so\.2 is not/,
  ],
  ['a program that was removed meanwhile', exec, E.ENOENT, {}, /or no longer/],
  [
    'another architecture',
    exec,
    E.ENOEXEC,
    { detail: '/bin/app: ELF machine 183, class 2' },
    /is a program for ARM 64,/,
  ],
  ['a rare architecture', exec, E.ENOEXEC, { detail: '/bin/app: ELF machine 2, class 1' }, /for ELF machine 2,/],
  ['a script without its first line', exec, E.ENOEXEC, { detail: '/bin/app' }, /^add a first line "#!/],
  ['noexec', exec, E.EACCES, {}, /"noexec"/],
  ['file capabilities beyond the bounding set', exec, E.EPERM, {}, /bounding/],
  ['an environment that is too large', exec, E.E2BIG, {}, /^shorten process\.args and process\.env/],
  ['a program that is open for writing', exec, E.ETXTBSY, {}, /open for writing/],
  ['a loader of another machine', exec, E.ELIBBAD, {}, /not an ELF program/],
  ['an interpreter that is a directory', exec, E.EISDIR, {}, /^correct the first line of \/bin\/app/],
  ['scripts that run scripts', exec, E.ELOOP, {}, /more than four deep/],
  ['too many processes at the exec', exec, E.EAGAIN, {}, /RLIMIT_NPROC/],
  ['too little memory for the program', exec, E.ENOMEM, { spec: small }, /may use 65536 bytes/],

  // the runtime itself
  ['a state directory without permission', { op: 'stateDir', at: '', path: '/run/runt/x' }, E.EACCES, {}, /--root/],
  [
    'a state directory without permission, rootless',
    { op: 'stateDir', at: '', path: '/run/runt/x' },
    E.EACCES,
    { rootless: true },
    /XDG_RUNTIME_DIR/,
  ],
  ['a full state directory', { op: 'startSocket', at: '', path: '/run/runt/x/start.sock' }, E.ENOSPC, {}, /full/],
  ['a file in the path of the state', { op: 'stateDir', at: '', path: '/run/runt/x' }, E.ENOTDIR, {}, /is a file/],
  ['no rights to set up the loopback device', { op: 'loopback', at: '' }, E.EPERM, {}, /CAP_NET_ADMIN/],

  // anywhere
  ['no memory at all', mountFs('tmpfs'), E.ENOMEM, {}, /^free memory/],
  ['no memory within a small limit', mountFs('tmpfs'), E.ENOMEM, { spec: small }, /may use 65536 bytes/],
  ['an old kernel', { op: 'wait', at: '' }, E.ENOSYS, { syscall: 'accept4' }, /^allow accept4\(2\).*5\.10/],
  [
    'a call that root may not make',
    { op: 'wait', at: '' },
    E.EPERM,
    { syscall: 'accept4' },
    /^give runt.*allow accept4/,
  ],
  // resctrl
  ['a class with another schema', rdt, E.EINVAL, { syscall: 'schemata' }, /another schema/],
  ['a class that is missing', rdt, E.ENOENT, {}, /^make the class .*does not exist/],
  ['a group that is there', rdt, E.EEXIST, {}, /rmdir/],
  ['no more classes', rdt, E.ENOSPC, {}, /no more classes/],
  ['a schema that the CPU refuses', rdt, E.EINVAL, {}, /info\/ of the resctrl/],
  ['resctrl without root', rdt, E.EPERM, {}, /^run runt as root/],

  // seccomp
  ['too many conditions', rule, E.ENOMEM, {}, /64 conditions/],
  ['too many rules', { ...rule, at: '/linux/seccomp' }, E.E2BIG, {}, /4096 instructions/],
  ['no process for the listener', filter(), E.EAGAIN, { syscall: 'clone' }, /pids\.limit/],
  [
    'a ready-made program',
    filter('/annotations/x'),
    E.EINVAL,
    { syscall: 'seccomp' },
    /^correct the program in the annotation/,
  ],
  ['flags of a newer kernel', filter(), E.EINVAL, { syscall: 'seccomp' }, /Linux 5\.19/],
  ['a filter without rights', filter(), E.EACCES, { syscall: 'seccomp' }, /noNewPrivileges/],
  ['a second listener', filter(), E.EBUSY, { syscall: 'seccomp' }, /SCMP_ACT_NOTIFY/],
  ['filters that are too long', filter(), E.ENOMEM, { syscall: 'seccomp' }, /32768/],

  // terminal
  ['a console that is a link', terminal, E.ELOOP, { detail: '/dev/console' }, /\/dev\/console.*tmpfs on \/dev/],
  ['no devpts', terminal, E.ENODEV, { detail: '/dev/pts' }, /devpts, and there is none/],
  ['a mount over the devpts', terminal, E.EXDEV, { detail: '/dev/pts' }, /another mount is in the way/],
  ['a devpts without devices', terminal, E.EACCES, { detail: '/dev/pts/ptmx' }, /nodev/],
  ['no more terminals', terminal, E.ENOSPC, {}, /kernel\.pty\.max/],
  ['a user that is not mapped', terminal, E.EINVAL, { syscall: 'fchown' }, /uidMappings/],
  ['a console socket that was closed', terminal, E.EPIPE, {}, /closed/],
  ['no console socket', consoleSocket, E.ENOENT, {}, /nothing is at that path/],
  ['a console socket without a listener', consoleSocket, E.ECONNREFUSED, {}, /nothing listens there/],
  ['a console socket that is full', consoleSocket, E.ETIMEDOUT, {}, /--console-socket/],

  // labels
  ['an unknown SELinux label', label('exec'), E.EINVAL, {}, /user:role:type:level/],
  ['a label that the policy forbids', label('exec'), E.EACCES, {}, /the policy denies it/],
  ['no AppArmor', label('apparmor/exec'), E.ENOENT, { syscall: 'open' }, /^enable AppArmor/],
  ['a profile that is not loaded', label('apparmor/exec'), E.ENOENT, {}, /profile web.*apparmor_parser/],
  ['a profile that runt may not enter', label('apparmor/exec'), E.EACCES, {}, /^allow the change to web/],
  ['AppArmor that is off', label('apparmor/exec'), E.EINVAL, {}, /^enable AppArmor/],

  // names of the container
  ['no passwd', named, E.EACCES, { syscall: 'open', detail: '/etc/passwd' }, /^give numbers: \/etc\/passwd/],
  ['an unknown group', named, E.ENOENT, { syscall: 'group', detail: 'www' }, /^add the group "www"/],
  ['a line without an id', named, E.EINVAL, { syscall: 'passwd', detail: 'web' }, /line of "web" .*no usable id/],
  ['a name that is not mapped', named, E.EINVAL, { ...inUserns, syscall: 'setresuid' }, /does not map web/],

  // namespaces
  ['a pid namespace beside', setns(CLONE_NEWPID), E.EINVAL, {}, /above or beside/],
  ['lo without rights', { op: 'loopback', at: '' }, E.EPERM, {}, /CAP_NET_ADMIN over/],
  [
    'a clock below zero',
    { op: 'timeEnter', at: '/linux/timeOffsets', boottime: -1, monotonicNanosecs: 0, boottimeNanosecs: 0 },
    E.ERANGE,
    {},
    /146 years/,
  ],
  ['a sysctl out of range', sysctl, E.ERANGE, {}, /does not take "x" for net\.core\.somaxconn/],

  ['too many open files', bind, E.EMFILE, {}, /ulimit -n/],
  ['too many open files of the host', bind, E.ENFILE, {}, /fs\.file-max/],
  ['a name that is too long', { op: 'mkdir', at: '', path: 'x', mode: 0 }, E.ENAMETOOLONG, {}, /255 bytes/],
  ['a broken disk', { op: 'mkdir', at: '', path: 'x', mode: 0 }, E.EIO, {}, /dmesg/],
];

for (const [cause, op, errno, around, says] of causes) {
  test(`the hint names the cause: ${cause}`, () => assert.match(hint(op, errno, around), says));
}

test('the hint for a command line as one word has its words, or a call of the shell', () => {
  const missing = (name: string, around: Around = {}) => hint(find(name, '/bin'), E.ENOENT, around);
  assert.match(missing('nginx -g x'), /process\.args as \["nginx","-g","x"\]/);
  assert.match(missing('echo hi && ls'), /process\.args as \["sh","-c","echo hi && ls"\]/);
  assert.match(missing('./run.sh'), /not in the working directory, which runt makes/);
  const process = { args: ['./run.sh'], cwd: '/srv/app', user: { uid: 0, gid: 0 } };
  assert.match(missing('./run.sh', { spec: { process } }), /not in the working directory \/srv\/app, which/);
});

test('an unknown cause gives no hint, because a wrong one is worse', () => {
  const failure = { syscall: 'x', detail: '', facts: { userNamespace: false, rootless: false } };
  for (const op of [mountFs('tmpfs'), bind, exec, user, clone(0), write('pids.max'), idMap()]) {
    assert.equal(hintFor({ ...failure, op, errno: E.ESRCH }), {}, op.op);
  }
});

test('EPERM in a user namespace is not explained by missing rights of runt', () => {
  assert.is(hint({ op: 'keepFds', at: '', count: 0 }, E.EPERM, inUserns), '');
});

test('a large memory limit is not reported as the cause', () => {
  const spec: Partial<Spec> = { linux: { resources: { memory: { limit: 1 << 30 } } } };
  assert.not.match(hint(mountFs('tmpfs'), E.ENOMEM, { spec }), /may use/);
  assert.not.match(
    hint(mountFs('tmpfs'), E.ENOMEM, { spec: { linux: { resources: { memory: { limit: -1 } } } } }),
    /may use/,
  );
});

test('the table of causes has more than 90 different hints', () => {
  const said = new Set(causes.map(([, op, errno, around]) => hint(op, errno, around)));
  assert.ok(said.size > 90, String(said.size));
});

test('scheduling failures have hints about rights, kernel support, CPUs and memory nodes', () => {
  const scheduler = (policy: number): Op => ({
    op: 'scheduler',
    at: '/process/scheduler',
    policy,
    flags: 0,
    nice: 0,
    priority: 1,
    runtime: 0,
    deadline: 0,
    period: 0,
  });
  assert.match(hint(scheduler(1), E.EPERM), /CAP_SYS_NICE.*realtimeRuntime.*SCHED_FIFO needs/);
  assert.match(hint(scheduler(0), E.EPERM), /lower nice value/);
  assert.match(hint(scheduler(6), E.EPERM), /all CPUs of its cpuset/);
  const pinned = { spec: { linux: { resources: { cpu: { cpus: '0' } } } } };
  assert.match(
    hint(scheduler(6), E.EPERM, pinned),
    /remove linux\.resources\.cpu\.cpus.*be used together with AllowedCPUs/,
  );
  assert.match(hint(scheduler(6), E.EBUSY), /smaller runtime/);
  assert.match(hint(scheduler(4), E.EINVAL), /no kernel has SCHED_ISO/);
  assert.match(hint(scheduler(3), E.EINVAL), /does not take these values together/);
  assert.match(hint({ op: 'ioPriority', at: '', class: 1, priority: 0 }, E.EPERM), /IOPRIO_CLASS_BE/);
  assert.match(hint({ op: 'cpuAffinity', at: '', cpus: [[99, 99]] }, E.EINVAL), /none of these is both in the machine/);
  assert.match(
    hint({ op: 'memoryPolicy', at: '', mode: 2, flags: 0, nodes: [[9, 9]] }, E.EINVAL),
    /^name a node of the machine/,
  );
  assert.match(hint({ op: 'memoryPolicy', at: '', mode: 2, flags: 0, nodes: [[0, 0]] }, E.ENOSYS), /without NUMA/);
});

test.run();
