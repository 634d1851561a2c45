/** Known causes of failures of the rootfs, and of mount points and files in it. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { rootTable } from './root-ops.js';

const mounts = 'runtime-spec config.md#mounts';

export const rootFailures: Failures<keyof typeof rootTable> = {
  hostPropagation: {
    code: 'ERR_MOUNT',
    hint: (f) => {
      if (f.errno !== E.EINVAL) return f.syscall === 'setns' ? switchHint(f) : limitHint(f);
      return hintOf(
        'start runt outside of this container or chroot: the root of runt is not on a mount of its mount namespace',
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
      return hintOf(
        `add "mount" to linux.namespaces, or use Linux 6.15: without a mount namespace, runt keeps the container's mounts in a detached tree, so that none stays on the host, and older kernels cannot mount there`,
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
      return hintOf(
        'end the process that has a file of the root open for writing, or let it close the file before the hook ends: it is perhaps a daemon that a createContainer hook left behind',
        'mount(2), EBUSY',
      );
    },
  },
  showRoot: {
    code: 'ERR_ROOTFS',
    hint: (f, op) => {
      if (f.errno !== E.ESTALE) return limitHint(f);
      return hintOf(
        `keep others from renaming the directories that lead to ${op.path}: another directory was there when runt changed the root`,
        'rename(2)',
      );
    },
  },
};

function rootfsHint(f: Failure, path: string): Hint | undefined {
  switch (f.errno) {
    case E.ENOENT:
      return hintOf(
        `unpack an image at ${path}, or correct root.path, which is relative to the bundle: it does not exist`,
        'runtime-spec config.md#root',
      );
    case E.ENOTDIR:
      return hintOf(`name a directory in root.path: ${path} is not one`, 'runtime-spec config.md#root');
    case E.EACCES:
      return hintOf(
        `give runt search permission (chmod o+x) on the parents of ${path}: runt may not search one of them`,
        'path_resolution(7)',
      );
    default:
      return limitHint(f);
  }
}

function switchHint(f: Failure): Hint | undefined {
  if (f.syscall === 'setns')
    return hintOf(
      f.errno === E.EXDEV
        ? 'start runt outside of the chroot: setns(2) enters the root of the mount namespace, which is not the container’s root here, so that an exec would run on the host'
        : 'start runt outside of the chroot: it cannot leave it, because it lacks CAP_SYS_CHROOT, or a seccomp filter forbids setns(2)',
      'setns(2)',
    );
  if (f.detail === 'ramdisk')
    return hintOf(
      f.errno === E.EPERM
        ? 'remove "user" from linux.namespaces, or move the host to another root (switch_root(8)): the root of the host is a ramdisk (initramfs), whose mounts a user namespace can neither remove nor hide from the container'
        : 'start runt with the file system that is mounted over the ramdisk as its root: the root of the host is a ramdisk (initramfs)',
      'mount_namespaces(7)',
    );
  if (f.errno === E.EINVAL) {
    return f.op.op === 'pivotRoot'
      ? hintOf(
          f.detail === 'chroot'
            ? 'start runt outside of the chroot: runt has left the chroot, and pivot_root(2) cannot leave the root above it either'
            : 'use --no-pivot: pivot_root(2) cannot leave a root on a mount with shared propagation',
          'pivot_root(2)',
        )
      : hintOf(
          'make / private first (mount --make-rprivate /): a mount below a mount with shared propagation cannot be moved',
          'mount(2), "Moving a mount"',
        );
  }
  if (f.errno === E.EBUSY)
    return hintOf(
      'bind the rootfs elsewhere first: it is the root of the host already, or on the same mount',
      'pivot_root(2)',
    );
  return limitHint(f);
}

/** Known causes of failures at a path in the rootfs on which something is mounted or made. */
export function targetHint(f: Failure, target: string): Hint | undefined {
  switch (f.errno) {
    case E.ENOENT:
    case E.EPERM:
      if (f.syscall !== 'openat2' && f.syscall !== 'mkdir') return undefined;
      return hintOf(
        `correct the path, or make ${target} in the image: it does not exist, and cannot be made, because its file system (proc, sysfs, devpts …) takes no new entries, or its directory is immutable (lsattr)`,
        mounts,
      );
    case E.EROFS:
      return hintOf(
        `make ${target} in the image, or mount a tmpfs above it first: it is not in the rootfs, and cannot be made, because the rootfs, or the mount there, is read-only`,
        mounts,
      );
    case E.ELOOP:
      return hintOf(
        `replace the symbolic links of ${target} in the image by real directories: it must be mounted on ordinary directory paths, as a link could redirect the mount`,
        'CVE-2019-19921',
      );
    case E.ENOTDIR:
      return hintOf(
        f.syscall === 'move_mount'
          ? `remove ${target} from the image, or correct the path: it is a file in the rootfs and a directory is mounted on it, or the other way round`
          : `correct the image or the path: a component of ${target} is a file in the rootfs`,
        mounts,
      );
    case E.EACCES:
      return hintOf(
        `give root of the container access to the directories that lead to ${target}: it may not search or write one of them, perhaps because the user namespace does not map its owner`,
        'path_resolution(7)',
      );
    case E.EOVERFLOW:
      return hintOf(
        `change the owner of the rootfs: the user namespace does not map the owner of a directory on the way to ${target}, so nothing can be made in it`,
        'user_namespaces(7)',
      );
    default:
      return limitHint(f);
  }
}

/** ENOSPC of a mount means the limit on mounts, of any other call the disk. */
export function limitHint(f: Failure): Hint | undefined {
  if (f.errno === E.ENOSPC) {
    return hintOf(
      f.syscall.startsWith('mkdir') ||
        f.syscall.startsWith('mknod') ||
        f.syscall === 'symlinkat' ||
        (f.syscall.startsWith('open') && f.syscall !== 'open_tree')
        ? 'make room on the file system of the rootfs: it is full, or has no inode left'
        : 'raise the sysctl fs.mount-max, or mount less: the mount namespace has as many mounts as it allows',
      'proc_sys_fs(5)',
    );
  }
  return undefined;
}
