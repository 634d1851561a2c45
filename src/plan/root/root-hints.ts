/** Known causes of failures of the rootfs, and of mount points and files in it. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { rootTable } from './root-ops.js';

const mounts = 'runtime-spec config.md#mounts';

export const rootFailures: Failures<keyof typeof rootTable> = {
  hostPropagation: {
    code: 'ERR_MOUNT',
    hint: (f) => {
      if (f.errno !== E.EINVAL) return f.syscall === 'setns' ? switchHint(f) : limitHint(f);
      return because(
        'the root of runt is on no mount of its mount namespace, as in a container without one: start runt outside of that',
        'mount_namespaces(7)',
      );
    },
  },
  isolate: { code: 'ERR_MOUNT' },
  rootfs: { code: 'ERR_ROOTFS', hint: (f, op) => rootfsHint(f, op.path) },
  detachedRoot: {
    code: 'ERR_ROOTFS',
    hint: (f, op) => {
      if (f.errno !== E.ENOSYS) return rootfsHint(f, op.path);
      return because(
        'without a mount namespace the container lives in mounts that are attached nowhere, so that the host keeps none of them, and Linux 6.15 is the first to mount in such: give it a mount namespace',
        'runtime-spec config-linux.md#namespaces',
      );
    },
  },
  changeRoot: { code: 'ERR_ROOTFS' },
  leaveChroot: { code: 'ERR_ROOTFS', hint: switchHint },
  pivotRoot: { code: 'ERR_ROOTFS', hint: switchHint },
  moveRoot: { code: 'ERR_ROOTFS', hint: switchHint },
  rootPropagation: { code: 'ERR_ROOTFS', hint: limitHint },
  readonlyRoot: {
    code: 'ERR_ROOTFS',
    hint: (f) => {
      if (f.errno !== E.EBUSY) return limitHint(f);
      return because(
        'end the process that has a file of the root open for writing (a daemon that a createContainer hook left behind?), or make it close the file before the hook ends',
        'mount(2), EBUSY',
      );
    },
  },
  showRoot: {
    code: 'ERR_ROOTFS',
    hint: (f, op) => {
      if (f.errno !== E.ESTALE) return limitHint(f);
      return because(
        `${op.path} was another directory when it became the root: keep others from renaming the directories that lead to it`,
        'rename(2)',
      );
    },
  },
};

function rootfsHint(f: Failure, path: string): Hint | undefined {
  switch (f.errno) {
    case E.ENOENT:
      return because(
        `there is no ${path}: unpack an image there, or correct root.path, which is relative to the bundle`,
        'runtime-spec config.md#root',
      );
    case E.ENOTDIR:
      return because(`${path} is not a directory: root.path must name one`, 'runtime-spec config.md#root');
    case E.EACCES:
      return because(
        `runt may not search a directory on the way to ${path}: give it search permission (chmod o+x) on its parents`,
        'path_resolution(7)',
      );
    default:
      return limitHint(f);
  }
}

function switchHint(f: Failure): Hint | undefined {
  if (f.syscall === 'setns')
    return because(
      f.errno === E.EXDEV
        ? 'the container’s root is not the root of its mount namespace, so that setns(2), and with it an exec, would lead to the host: start runt outside of the chroot'
        : 'runt is in a chroot, and cannot leave it: it lacks CAP_SYS_CHROOT, or a seccomp filter forbids setns(2); start runt outside of the chroot',
      'setns(2)',
    );
  if (f.detail === 'ramdisk')
    return because(
      f.errno === E.EPERM
        ? 'the root of the host is a ramdisk (initramfs), and in a user namespace its mounts can be neither removed nor kept from the container: remove "user" from linux.namespaces, or move the host to another root (switch_root(8))'
        : 'the root of the host is a ramdisk (initramfs) with another file system mounted over it: start runt with that one as its root',
      'mount_namespaces(7)',
    );
  if (f.errno === E.EINVAL) {
    return f.op.op === 'pivotRoot'
      ? because(
          f.detail === 'chroot'
            ? 'runt is in a chroot, and pivot_root(2) cannot leave the root above it either: start runt outside of the chroot'
            : 'pivot_root(2) cannot leave a root on a mount with shared propagation: use --no-pivot on such a host',
          'pivot_root(2)',
        )
      : because(
          'a mount below a mount with shared propagation cannot be moved: make / private first (mount --make-rprivate /)',
          'mount(2), "Moving a mount"',
        );
  }
  if (f.errno === E.EBUSY)
    return because(
      'the rootfs is the root of the host already, or on the same mount: bind it elsewhere first',
      'pivot_root(2)',
    );
  return limitHint(f);
}

/** Known causes of failures at a path in the rootfs on which something is mounted or made. */
export function targetHint(f: Failure, target: string): Hint | undefined {
  switch (f.errno) {
    case E.EROFS:
      return because(
        `${target} is not in the rootfs and cannot be made, because the rootfs (or the mount it is on) is read-only: make it in the image, or mount a tmpfs above it first`,
        mounts,
      );
    case E.ELOOP:
      return because(
        `${target} is a symbolic link in the rootfs, or leads through one, where a real directory must be: a link could redirect it, so it is refused; replace it in the image`,
        'CVE-2019-19921',
      );
    case E.ENOTDIR:
      return because(
        f.syscall === 'move_mount'
          ? `${target} is a file in the rootfs, and a directory is to be mounted on it (or the other way round): remove it from the image, or correct the path`
          : `a component of ${target} is a file in the rootfs: correct the image or the path`,
        mounts,
      );
    case E.EACCES:
      return because(
        `root of the container may not search or write a directory on the way to ${target}: its owner is perhaps not mapped in the user namespace`,
        'path_resolution(7)',
      );
    case E.EOVERFLOW:
      return because(
        `the owner of a directory on the way to ${target} is not mapped in the user namespace, so nothing can be made in it: change the owner of the rootfs`,
        'user_namespaces(7)',
      );
    default:
      return limitHint(f);
  }
}

/** ENOSPC of a mount means the limit on mounts, of any other call the disk. */
export function limitHint(f: Failure): Hint | undefined {
  if (f.errno === E.ENOSPC) {
    return because(
      f.syscall.startsWith('mkdir') ||
        f.syscall.startsWith('mknod') ||
        f.syscall === 'symlinkat' ||
        (f.syscall.startsWith('open') && f.syscall !== 'open_tree')
        ? 'the file system of the rootfs is full, or has no inode left'
        : 'a mount namespace holds no more mounts than the sysctl fs.mount-max: raise it, or mount less',
      'proc_sys_fs(5)',
    );
  }
  return undefined;
}
