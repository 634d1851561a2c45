/** Known causes of failures to mount a file system. */
import { E } from '../../sys/errno.js';
import { MOUNT_ATTR_NOSYMFOLLOW } from '../../sys/linux.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';
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
        return because(
          `the container has a user namespace and mounts ${op.fstype} with "${unmapped}", which is not mapped: map the id, or use one that is`,
          mounts,
        );
      }
      if (f.syscall === 'fsmount' && Number(op.attrs) & MOUNT_ATTR_NOSYMFOLLOW)
        return because('nosymfollow needs Linux 5.14', 'mount_setattr(2)');
      if (message) return because(`the kernel says "${message}": correct the options of the mount`, mounts);
      return because(
        option === undefined
          ? `${op.fstype} does not take one of the options ${op.options.join(',') || '(none)'}: correct them`
          : `${op.fstype} does not take the option "${option}": correct or remove it`,
        mounts,
      );
    case E.E2BIG:
      return because(
        'the options of the mount are too long for the kernel: shorten them, or split the mount',
        'mount(2)',
      );
    case E.ENODEV:
      return because(
        `this kernel has no file system "${op.fstype}": load its module, or correct the type (see /proc/filesystems)`,
        mounts,
      );
    case E.ENOTBLK:
      return because(
        `${op.source} is not a block device, which ${op.fstype} needs: correct the source, or set it up with losetup`,
        mounts,
      );
    case E.ENXIO:
      return because(`there is no device behind ${op.source}`, mounts);
    case E.EBUSY:
      if (op.fstype === 'cgroup') {
        return because(
          'a hierarchy with one of these controllers is mounted otherwise already: v1 controllers can be grouped in one way only',
          'cgroups(7)',
        );
      }
      return because(`${op.source} is in use, or mounted with other options already`, mounts);
    case E.EPERM:
    case E.EACCES:
      return fsPermissionHint(f, op);
    default:
      return undefined;
  }
}

function copyHint(errno: number, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  if (errno === E.ENOSPC)
    return because(
      `what ${op.target} holds does not fit into the tmpfs that tmpcopyup copies it to: raise its size and nr_inodes`,
      mounts,
    );
  if (errno === E.EPERM)
    return because(
      `${op.target} holds a device, or a file of an owner, that may not be made in a user namespace: remove it from the image, or leave tmpcopyup out`,
      'user_namespaces(7)',
    );
  return undefined;
}

function fsPermissionHint(f: Failure, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  const namespaces = f.spec?.linux?.namespaces;
  const isNew = (type: string) => namespaces?.some((n) => n.type === type && !n.path) ?? true;
  if (op.fstype === 'mqueue' && !isNew('ipc')) {
    return because(
      'mqueue shows the IPC namespace, and the container has none of its own: add "ipc" to linux.namespaces, or bind /dev/mqueue',
      'mq_overview(7)',
    );
  }
  if (!f.facts.userNamespace) return undefined;
  if (op.fstype === 'proc')
    return isNew('pid')
      ? procHint()
      : because(
          'proc shows the pid namespace, and the container has none of its own in its user namespace: add "pid" to linux.namespaces, or bind /proc',
          'user_namespaces(7)',
        );
  if (op.fstype === 'sysfs') {
    return isNew('network')
      ? because(
          "in a user namespace sysfs can be mounted only where all of the host's is visible, and here parts are covered: bind /sys recursively (rbind, ro) instead",
          'user_namespaces(7)',
        )
      : because(
          'sysfs shows the network namespace, and the container has none of its own in its user namespace: add "network" to linux.namespaces, or bind /sys recursively (rbind, ro)',
          'user_namespaces(7)',
        );
  }
  if (op.fstype === 'cgroup' || op.fstype === 'cgroup2') {
    return because(
      'in a user namespace cgroups can be mounted only in a cgroup namespace of its own: add "cgroup" to linux.namespaces, or bind /sys/fs/cgroup',
      'cgroup_namespaces(7)',
    );
  }
  return because(
    `a user namespace may not mount ${op.fstype}, or not with these options: only file systems made for it are allowed (tmpfs, overlay since Linux 5.11, proc, sysfs, devpts, mqueue, cgroup, fuse …)`,
    'user_namespaces(7)',
  );
}

export function procHint(): Hint {
  return because(
    "in a user namespace proc can be mounted only where all of the host's is visible, and here parts of /proc are masked, as inside most containers: run the outer container with an unmasked /proc, or bind it",
    'user_namespaces(7)',
  );
}
