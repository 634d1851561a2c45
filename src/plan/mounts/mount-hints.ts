/** Known causes of failures of mounts and device nodes. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';
import type { Op } from '../plan-ops.js';
import { limitHint, targetHint } from '../root/root-hints.js';
import { fsHint, procHint } from './file-system-hints.js';

const mounts = 'runtime-spec config.md#mounts';

export function mountHint(f: Failure): Hint | undefined {
  const { op } = f;
  switch (op.op) {
    case 'openTree':
    case 'cloneSource':
      return sourceHint(f, op.source);
    case 'mountFs':
      return fsHint(f, op) ?? targetHint(f, op.target);
    case 'mountBind':
      return bindHint(f, op) ?? targetHint(f, op.target);
    case 'mountAttrs':
    case 'reconfigure':
    case 'propagate':
      return remountHint(f, op) ?? targetHint(f, op.target);
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
        `runt may not search a directory on the way to ${source}: give it the permission, or bind another path${f.facts.oldMounts ? '; or allow open_tree(2), by which root of the host opens it' : ''}`,
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

function bindHint(f: Failure, op: Extract<Op, { op: 'mountBind' }>): Hint | undefined {
  const { errno, detail } = f;
  switch (errno) {
    case E.ENOENT:
      if (op.source && (detail === '' || detail === op.source)) return sourceHint(f, op.source);
      return undefined;
    case E.EACCES:
      return detail === op.source ? sourceHint(f, op.source) : undefined;
    case E.EEXIST:
      return because(
        `something else is at ${op.target}, where copy-symlink makes a symlink: remove it from the rootfs, or bind without copy-symlink`,
        mounts,
      );
    case E.ENOTDIR:
      if (f.syscall === 'openat2') return undefined;
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

function remountHint(
  f: Failure,
  op: Extract<Op, { op: 'mountAttrs' | 'reconfigure' | 'propagate' }>,
): Hint | undefined {
  const { errno, detail, syscall } = f;
  if (errno === E.ENOENT || (errno === E.EINVAL && (syscall === 'fspick' || detail === op.target)))
    return because(`nothing is mounted on ${op.target} that could be changed: put the mount itself before it`, mounts);
  if (op.op === 'reconfigure' && errno === E.EINVAL)
    return because(`the file system does not take "${detail}" once it is mounted: give it when it is mounted`, mounts);
  if (op.op === 'reconfigure' && errno === E.EPERM && f.facts.userNamespace)
    return because(
      `a user namespace may not change the file system on ${op.target}, which is not its own: add "bind" to change the mount alone`,
      'mount_namespaces(7)',
    );
  return attrsHint(f);
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
      `the host has no ${f.op.path}, nor ${f.op.type === 'b' ? '/dev/block' : '/dev/char'}/${f.op.major}:${f.op.minor}, which without the right to make device nodes is bound from there: make it, or remove it`,
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
