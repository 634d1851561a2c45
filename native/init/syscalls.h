/* Raw system calls, for which musl has no functions. */
#ifndef RUNT_INIT_SYSCALLS_H
#define RUNT_INIT_SYSCALLS_H
#include "../core/kernel.h"
#include "../core/refused.h"
#include <stdint.h>
#include <unistd.h>

/* A call that the kernel or a filter refuses fails with ENOSYS. */
static inline int or_refused(long result, long number) {
  if (result < 0)
    is_refused(number);
  return (int)result;
}
static inline int sys_open_tree(int dirfd, const char *path, unsigned flags) {
  return or_refused(syscall(SYS_open_tree, dirfd, path, flags), SYS_open_tree);
}
static inline int sys_move_mount(int from, int to) {
  return or_refused(
      syscall(SYS_move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
      SYS_move_mount);
}
static inline int sys_fsopen(const char *type) {
  return or_refused(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), SYS_fsopen);
}
static inline int sys_fspick(int fd) {
  return or_refused(syscall(SYS_fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH), SYS_fspick);
}
static inline int sys_fsconfig(int fs, unsigned command, const char *key, const char *value) {
  return or_refused(syscall(SYS_fsconfig, fs, command, key, value, 0), SYS_fsconfig);
}
static inline int sys_fsconfig_fd(int fs, const char *key, int fd) {
  return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, key, NULL, fd);
}
static inline int sys_fsmount(int fs, unsigned attributes) {
  return or_refused(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes), SYS_fsmount);
}
static inline int sys_mount_setattr(int fd, unsigned flags, struct mount_attr *a) {
  return or_refused(syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, a, sizeof *a),
                    SYS_mount_setattr);
}
static inline int sys_openat2(int dirfd, const char *path, struct open_how *how) {
  return (int)syscall(SYS_openat2, dirfd, path, how, sizeof *how);
}
static inline int sys_statx(int fd, unsigned mask, struct kernel_statx *to) {
  return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, to);
}
/* musl's fcntl(3) and open(3) set FD_CLOEXEC once more, for kernels before 2.6.24. */
static inline int sys_duplicate(int fd) { return (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3); }
static inline int sys_open(const char *path, int flags) {
  return openat(AT_FDCWD, path, flags | O_CLOEXEC);
}
static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}
#endif
