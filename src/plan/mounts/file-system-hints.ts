/** Known causes of failures to mount a file system. */
import { E } from '../../sys/errno.js';
import { MOUNT_ATTR_NOSYMFOLLOW } from '../../sys/linux.js';
import { type Failure, type Hint, hintOf } from '../failure/known-cause.js';
import type { Op } from '../plan-ops.js';

const mounts = 'runtime-spec config.md#mounts';

export function fsHint(f: Failure, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  const { errno, facts, detail } = f;
  const unmapped = op.options.find((o) => o.startsWith('uid=') || o.startsWith('gid='));
  // runt-init's detail: the option that fsconfig(2) refused, or the kernel's message (which always has spaces).
  const option = op.options.includes(detail) ? detail : undefined;
  const message = option === undefined && detail !== op.target && detail.includes(' ') ? detail : '';
  if (f.syscall === 'tmpcopyup') return copyHint(errno, op);
  switch (errno) {
    case E.EINVAL:
      if (facts.userNamespace && unmapped !== undefined) {
        return hintOf(
          `map the id of "${unmapped}", or use a mapped one: ${op.fstype} is mounted in the container's user namespace, which does not map it`,
          mounts,
        );
      }
      if (f.syscall === 'fsmount' && Number(op.attrs) & MOUNT_ATTR_NOSYMFOLLOW)
        return hintOf('remove nosymfollow: it needs Linux 5.14', 'mount_setattr(2)');
      if (message) return hintOf(`correct the options of the mount: the kernel says "${message}"`, mounts);
      return hintOf(
        option === undefined
          ? `correct the options ${op.options.join(',') || '(none)'}: ${op.fstype} does not take one of them`
          : `correct or remove the option "${option}": ${op.fstype} does not take it`,
        mounts,
      );
    case E.E2BIG:
      return hintOf('shorten the options of the mount, or split it: they are too long for the kernel', 'mount(2)');
    case E.ENODEV:
      return hintOf(
        `load the module of "${op.fstype}", or correct the type (see /proc/filesystems): this kernel has no such file system`,
        mounts,
      );
    case E.ENOTBLK:
      return hintOf(
        `correct the source, or set it up with losetup: ${op.fstype} needs a block device, and ${op.source} is not one`,
        mounts,
      );
    case E.ENXIO:
      return hintOf(`correct the source, or attach its device: there is no device behind ${op.source}`, mounts);
    case E.EBUSY:
      if (op.fstype === 'cgroup') {
        return hintOf(
          'group the controllers as the host does (/proc/self/cgroup): one of them is in another hierarchy already, and a controller of v1 can be in one only',
          'cgroups(7)',
        );
      }
      return hintOf(
        `unmount ${op.source}, or use the options that it is mounted with: it is in use, or mounted with others already`,
        mounts,
      );
    case E.EPERM:
    case E.EACCES:
      return fsPermissionHint(f, op);
    default:
      return undefined;
  }
}

function copyHint(errno: number, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  if (errno === E.ENOSPC)
    return hintOf(
      `raise size and nr_inodes of the tmpfs: what ${op.target} holds, which tmpcopyup copies, does not fit into it`,
      mounts,
    );
  if (errno === E.EPERM)
    return hintOf(
      `remove devices, and files of owners that are not mapped, from ${op.target} of the image, or remove tmpcopyup: it cannot make them in a user namespace`,
      'user_namespaces(7)',
    );
  return undefined;
}

function fsPermissionHint(f: Failure, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  const namespaces = f.spec?.linux?.namespaces;
  const isNew = (type: string) => namespaces?.some((n) => n.type === type && !n.path) ?? true;
  if (op.fstype === 'mqueue' && !isNew('ipc')) {
    return hintOf(
      'add "ipc" to linux.namespaces, or bind /dev/mqueue: mqueue shows the IPC namespace, and the container has none of its own',
      'mq_overview(7)',
    );
  }
  if (!f.facts.userNamespace) return undefined;
  if (op.fstype === 'proc')
    return isNew('pid')
      ? procHint()
      : hintOf(
          'add "pid" to linux.namespaces, or bind /proc: proc shows the pid namespace, and the container has none of its own in its user namespace',
          'user_namespaces(7)',
        );
  if (op.fstype === 'sysfs') {
    return isNew('network')
      ? hintOf(
          "bind /sys recursively (rbind, ro) instead: a user namespace can mount sysfs only where all of the host's is visible, and here parts are covered",
          'user_namespaces(7)',
        )
      : hintOf(
          'add "network" to linux.namespaces, or bind /sys recursively (rbind, ro): sysfs shows the network namespace, and the container has none of its own in its user namespace',
          'user_namespaces(7)',
        );
  }
  if (op.fstype === 'cgroup' || op.fstype === 'cgroup2') {
    return hintOf(
      'add "cgroup" to linux.namespaces, or bind /sys/fs/cgroup: a user namespace can mount cgroups only in a cgroup namespace of its own',
      'cgroup_namespaces(7)',
    );
  }
  return hintOf(
    `bind a mount of the host instead: a user namespace may not mount ${op.fstype}, or not with these options (it may mount tmpfs, overlay since Linux 5.11, proc, sysfs, devpts, mqueue, cgroup, fuse …)`,
    'user_namespaces(7)',
  );
}

export function procHint(): Hint {
  return hintOf(
    "run the outer container with an unmasked /proc, or bind it: a user namespace can mount proc only where all of the host's is visible, and here parts of /proc are masked, as inside most containers",
    'user_namespaces(7)',
  );
}
