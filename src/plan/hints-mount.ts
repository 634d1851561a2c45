/** Known causes of failures of mounts and device nodes. */
import { E } from '../sys/errno.js';
import { because, type Failure, type Hint } from './hint.js';
import { limitHint, targetHint } from './hints-root.js';
import type { Op } from './ops.js';

const mounts = 'runtime-spec config.md#mounts';

export function mountHint(f: Failure): Hint | undefined {
  const { op } = f;
  switch (op.op) {
    case 'openTree':
      return sourceHint(f, op.source);
    case 'mountFs':
      return fsHint(f, op) ?? targetHint(f, op.target);
    case 'mountBind':
      return bindHint(f, op) ?? targetHint(f, op.target);
    case 'mountAttrs':
      return attrsHint(f) ?? targetHint(f, op.target);
    case 'device':
      return deviceHint(f) ?? targetHint(f, op.path);
    case 'procfs':
      return f.errno === E.EPERM ? procHint() : undefined;
    default:
      return undefined;
  }
}

function sourceHint(f: Failure, source: string): Hint | undefined {
  switch (f.errno) {
    case E.ENOENT:
      return because(
        `the source ${source} of the bind mount does not exist on the host: make it, or correct the mount's source`,
        mounts,
      );
    case E.EACCES:
      return because(
        `runt may not search a directory on the way to ${source}: give it the permission, or bind another path`,
        'path_resolution(7)',
      );
    case E.EINVAL:
      return because(
        `${source} is on an unbindable mount, or has mounts below it that may not be seen alone: bind it recursively (rbind)`,
        'open_tree(2)',
      );
    default:
      return limitHint(f);
  }
}

function fsHint(f: Failure, op: Extract<Op, { op: 'mountFs' }>): Hint | undefined {
  const { errno, facts, detail } = f;
  const unmapped = op.options.find((o) => o.startsWith('uid=') || o.startsWith('gid='));
  // runt-init's detail: the option that fsconfig(2) refused, or the kernel's message (it always has spaces in it).
  const option = op.options.includes(detail) ? detail : undefined;
  const message = option === undefined && detail !== op.target && detail.includes(' ') ? detail : '';
  switch (errno) {
    case E.EINVAL:
      if (facts.userNamespace && unmapped !== undefined) {
        return because(
          `the container has a user namespace and mounts ${op.fstype} with "${unmapped}", which is not mapped: map the id, or use one that is`,
          mounts,
        );
      }
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
    `a user namespace may not mount ${op.fstype}, or not with these options: only file systems made for it are allowed (tmpfs, overlay, proc, sysfs, devpts, mqueue, cgroup, fuse …)`,
    'user_namespaces(7)',
  );
}

function procHint(): Hint {
  return because(
    "in a user namespace proc can be mounted only where all of the host's is visible, and here parts of /proc are masked, as inside most containers: run the outer container with an unmasked /proc, or bind it",
    'user_namespaces(7)',
  );
}

function bindHint(f: Failure, op: Extract<Op, { op: 'mountBind' }>): Hint | undefined {
  const { errno, detail } = f;
  switch (errno) {
    case E.ENOENT:
      if (op.source && (detail === '' || detail === op.source)) return sourceHint(f, op.source);
      return undefined;
    case E.ENOTDIR:
      return because(
        `one of ${op.source} and ${op.target} is a directory and the other a file: bind like on like, or remove the target from the rootfs`,
        mounts,
      );
    case E.EPERM:
      return f.facts.userNamespace ? lockedHint() : undefined;
    case E.EINVAL:
      return attrsHint(f) ?? sourceHint(f, op.source);
    default:
      return undefined;
  }
}

/** EINVAL of mount_setattr(2) is about id-mapped mounts in nearly all cases: flags are checked before. */
function attrsHint(f: Failure): Hint | undefined {
  if (f.errno === E.EINVAL && f.syscall === 'mount_setattr') {
    return because(
      'the kernel does not take these mount attributes: the file system supports no id-mapped mounts, or the flags contradict each other',
      'mount_setattr(2)',
    );
  }
  if (f.errno === E.EPERM && f.facts.userNamespace) return lockedHint();
  return undefined;
}

function lockedHint(): Hint {
  return because(
    'flags that the host has set on this mount (ro, nosuid, nodev, noexec, atime) are locked in a user namespace: leave them as they are, or bind a mount that has not got them',
    'mount_namespaces(7), "Restrictions on mount namespaces"',
  );
}

function deviceHint(f: Failure): Hint | undefined {
  if (f.op.op !== 'device') return undefined;
  if (f.errno === E.EPERM) {
    return f.facts.userNamespace || f.facts.rootless
      ? because(
          'device nodes cannot be made in a user namespace, and the host has no such node to bind: make it on the host, or remove it',
          'mknod(2)',
        )
      : because(
          'making device nodes needs CAP_MKNOD and a device list (linux.resources.devices) of the cgroup that lets "m"',
          'mknod(2)',
        );
  }
  if (f.errno === E.ENOENT && f.op.bind) {
    return because(
      `the host has no ${f.op.path}, which without the right to make device nodes is bound from there: make it, or remove it`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.ENODEV) {
    return because(
      `${f.op.path} of the host is not device ${f.op.type} ${f.op.major}:${f.op.minor}, which without the right to make device nodes is bound from there: make it on the host, or remove it`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.EEXIST) {
    return because(
      `the rootfs has something else at ${f.op.path}: remove it there, or mount a tmpfs on /dev`,
      'runtime-spec config-linux.md#devices',
    );
  }
  return undefined;
}
