/** Known causes of failures of mounts. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import { limitHint, targetHint } from '../root/root-hints.js';
import { fsHint } from './file-system-hints.js';
import type { mountTable } from './mount-ops.js';

const mounts = 'runtime-spec config.md#mounts';

export const mountFailures: Failures<keyof typeof mountTable> = {
  openTree: { code: 'ERR_MOUNT', hint: (f, op) => sourceHint(f, op.source) },
  claimLayer: { code: 'ERR_LAYER', hint: layerHint },
  makeLayer: { code: 'ERR_LAYER', hint: layerHint },
  cloneSource: { code: 'ERR_MOUNT', hint: (f, op) => sourceHint(f, op.source) },
  mountFs: {
    code: 'ERR_MOUNT',
    // openat2(2) opens or makes the target, before the file system is asked for, or after the source is cloned.
    hint: (f, op) => (f.syscall === 'openat2' ? undefined : fsHint(f, op)) ?? targetHint(f, op.target),
  },
  mountBind: {
    code: 'ERR_MOUNT',
    hint: (f, op) => (f.syscall === 'openat2' ? undefined : bindHint(f, op)) ?? targetHint(f, op.target),
  },
  mountAttrs: { code: 'ERR_MOUNT', hint: changeHint },
  reconfigure: { code: 'ERR_MOUNT', hint: changeHint },
  propagate: { code: 'ERR_MOUNT', hint: changeHint },
  mkdir: { code: 'ERR_MOUNT', hint: (f, op) => targetHint(f, op.path) },
  verifyMounts: { code: 'ERR_MOUNT' },
};

type ChangeOp = OpOf<'mountAttrs' | 'reconfigure' | 'propagate'>;

function changeHint(f: Failure, op: ChangeOp): Hint | undefined {
  return remountHint(f, op) ?? targetHint(f, op.target);
}

function layerHint({ errno }: Failure): Hint | undefined {
  if (errno === E.EROFS || errno === E.EACCES)
    return hintOf('choose another directory: its parent must be writable for runt', 'mounts.md#fresh-layers');
  if (errno === E.EAGAIN) return hintOf('try again: another runt has held the lock of its parent for 10 seconds');
  return undefined;
}

function sourceHint(f: Failure, source: string): Hint | undefined {
  switch (f.errno) {
    case E.ENOENT:
      return hintOf(`make ${source} on the host, or correct the mount's source: it does not exist there`, mounts);
    case E.EACCES:
      return hintOf(
        `give runt search permission (chmod +x) on the parents of ${source}, ${f.facts.oldMounts ? 'allow open_tree(2), by which root of the host opens it, ' : ''}or bind another path: runt may not search one of them`,
        'path_resolution(7)',
      );
    case E.EINVAL:
      return hintOf(
        `bind ${source} recursively (rbind), or bind another path: it is on an unbindable mount, or has locked mounts below it, which must come with it`,
        'open_tree(2)',
      );
    default:
      return limitHint(f);
  }
}

function bindHint(f: Failure, op: OpOf<'mountBind'>): Hint | undefined {
  const { errno, detail } = f;
  switch (errno) {
    case E.ENOENT:
      if (op.source && (detail === '' || detail === op.source)) return sourceHint(f, op.source);
      return undefined;
    case E.EACCES:
      return detail === op.source ? sourceHint(f, op.source) : undefined;
    case E.EEXIST:
      return hintOf(
        `remove ${op.target} from the rootfs, or bind without copy-symlink: something else is where copy-symlink makes the symlink`,
        mounts,
      );
    case E.ENOTDIR:
      return hintOf(
        `bind a directory on a directory and a file on a file, or remove ${op.target} from the rootfs: it is one of these, and ${op.source} the other`,
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

function remountHint(f: Failure, op: ChangeOp): Hint | undefined {
  const { errno, detail, syscall } = f;
  if (errno === E.ENOENT || (errno === E.EINVAL && (syscall === 'fspick' || detail === op.target)))
    return hintOf(
      `put the mount itself before this entry: nothing is mounted on ${op.target} that could be changed`,
      mounts,
    );
  if (op.op === 'reconfigure' && errno === E.EINVAL)
    return hintOf(`give "${detail}" when the file system is mounted: it does not take this option later`, mounts);
  if (op.op === 'reconfigure' && errno === E.EPERM && f.facts.userNamespace)
    return hintOf(
      `add "bind" to change the mount alone: a user namespace may not change the file system on ${op.target}, which is not its own`,
      'mount_namespaces(7)',
    );
  return attrsHint(f);
}

/** EINVAL of mount_setattr(2) is nearly always about id-mapped mounts: runt checks the flags before. */
function attrsHint(f: Failure): Hint | undefined {
  if (f.errno === E.EINVAL && f.syscall === 'mount_setattr') {
    return hintOf(
      'bind without id mappings, or correct the flags: the file system supports no id-mapped mounts, or the flags contradict each other',
      'mount_setattr(2)',
    );
  }
  if (f.errno === E.EPERM && f.facts.userNamespace) return lockedHint();
  return undefined;
}

function lockedHint(): Hint {
  return hintOf(
    'keep the flags that the host has set on this mount (ro, nosuid, nodev, noexec, atime), or bind a mount without them: a user namespace cannot remove them',
    'mount_namespaces(7), "Restrictions on mount namespaces"',
  );
}
