/* Raw system calls and kernel constants that musl's headers lack; numbers of Linux ≥ 5.1 are the
 * same everywhere. */
#ifndef RUNT_INIT_SYSCALLS_H
#define RUNT_INIT_SYSCALLS_H
#include "../core/refused.h"
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  NR_open_tree = 428,
  NR_move_mount = 429,
  NR_fsopen = 430,
  NR_fsconfig = 431,
  NR_fsmount = 432,
  NR_fspick = 433,
  NR_close_range = 436,
  NR_openat2 = 437,
  NR_mount_setattr = 442,
};

enum {
  FSOPEN_CLOEXEC_ = 1,
  FSMOUNT_CLOEXEC_ = 1,
  FSPICK_CLOEXEC_ = 1,
  FSPICK_EMPTY_PATH_ = 8,
  FSCONFIG_SET_FLAG_ = 0,
  FSCONFIG_SET_STRING_ = 1,
  FSCONFIG_SET_FD_ = 5,
  FSCONFIG_CMD_CREATE_ = 6,
  FSCONFIG_CMD_RECONFIGURE_ = 7,
  OPEN_TREE_CLONE_ = 1,
  OPEN_TREE_CLOEXEC_ = 02000000,
  AT_EMPTY_PATH_ = 0x1000,
  AT_STATX_DONT_SYNC_ = 0x4000,
  AT_RECURSIVE_ = 0x8000,
  MOVE_MOUNT_F_EMPTY_PATH_ = 0x4,
  MOVE_MOUNT_T_EMPTY_PATH_ = 0x40,
  MOUNT_ATTR_RDONLY_ = 0x1,
  MOUNT_ATTR_NOSUID_ = 0x2,
  MOUNT_ATTR_NODEV_ = 0x4,
  MOUNT_ATTR_NOEXEC_ = 0x8,
  MOUNT_ATTR_ATIME_ = 0x70,
  MOUNT_ATTR_NOATIME_ = 0x10,
  MOUNT_ATTR_STRICTATIME_ = 0x20,
  MOUNT_ATTR_NODIRATIME_ = 0x80,
  MOUNT_ATTR_IDMAP_ = 0x100000,
  MOUNT_ATTR_NOSYMFOLLOW_ = 0x200000,
  RESOLVE_NO_XDEV_ = 0x01,
  RESOLVE_NO_MAGICLINKS_ = 0x02,
  RESOLVE_NO_SYMLINKS_ = 0x04,
  RESOLVE_BENEATH_ = 0x08,
  RESOLVE_IN_ROOT_ = 0x10,
  CLOSE_RANGE_CLOEXEC_ = 4,
  STATX_TYPE_ = 0x1,
  STATX_INO_ = 0x100,
  STATX_MNT_ID_ = 0x1000,
  STATX_ATTR_MOUNT_ROOT_ = 0x2000,
  KEYCTL_JOIN_SESSION_KEYRING_ = 1,
  KEYCTL_SETPERM_ = 5,
};

struct mount_attributes {
  uint64_t set, clear, propagation, userns_fd;
};

struct open_how_ {
  uint64_t flags, mode, resolve;
};

struct statx_ {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, padding;
  uint64_t inode, size, blocks, attributes_mask, times[8];
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t mount, spare[13];
};

/* A call that is refused, by the kernel or by a filter, has failed with ENOSYS. */
static inline int or_refused(long result, long number) {
  if (result < 0)
    is_refused(number);
  return (int)result;
}
static inline int sys_open_tree(int dirfd, const char *path, unsigned flags) {
  return or_refused(syscall(NR_open_tree, dirfd, path, flags), NR_open_tree);
}
static inline int sys_move_mount(int from, int to) {
  return or_refused(
      syscall(NR_move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH_ | MOVE_MOUNT_T_EMPTY_PATH_),
      NR_move_mount);
}
static inline int sys_fsopen(const char *type) {
  return or_refused(syscall(NR_fsopen, type, FSOPEN_CLOEXEC_), NR_fsopen);
}
static inline int sys_fspick(int fd) {
  return or_refused(syscall(NR_fspick, fd, "", FSPICK_CLOEXEC_ | FSPICK_EMPTY_PATH_), NR_fspick);
}
static inline int sys_fsconfig(int fs, unsigned command, const char *key, const char *value) {
  return or_refused(syscall(NR_fsconfig, fs, command, key, value, 0), NR_fsconfig);
}
static inline int sys_fsconfig_fd(int fs, const char *key, int fd) {
  return (int)syscall(NR_fsconfig, fs, FSCONFIG_SET_FD_, key, NULL, fd);
}
static inline int sys_fsmount(int fs, unsigned attributes) {
  return or_refused(syscall(NR_fsmount, fs, FSMOUNT_CLOEXEC_, attributes), NR_fsmount);
}
static inline int sys_mount_setattr(int fd, unsigned flags, struct mount_attributes *a) {
  return or_refused(syscall(NR_mount_setattr, fd, "", flags | AT_EMPTY_PATH_, a, sizeof *a),
                    NR_mount_setattr);
}
static inline int sys_openat2(int dirfd, const char *path, struct open_how_ *how) {
  return (int)syscall(NR_openat2, dirfd, path, how, sizeof *how);
}
static inline int sys_statx(int fd, unsigned mask, struct statx_ *to) {
  return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH_ | AT_STATX_DONT_SYNC_, mask, to);
}
static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(NR_close_range, first, last, flags);
}
#endif
