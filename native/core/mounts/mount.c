/* Mounts in the runtime's own mount namespace: root file systems that an engine requests of a
 * shim. */
#include "../core.h"
#include "../process/procfs.h"
#include "../refused.h"
#include "fs-context.h"
#include "mount-flags.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The kernel accepts a new access time mode only with the whole field cleared. */
static uint64_t cleared_by(unsigned attrs) {
  return attrs & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0;
}

/* The path of a descriptor in procfs; -1 with ENOSYS where /proc is not the root of a procfs. */
static int name_of(int fd, char name[32]) {
  AUTO_CLOSE int proc = open_procfs();
  snprintf(name, 32, "/proc/self/fd/%d", fd);
  if (proc >= 0)
    return 0;
  errno = ENOSYS;
  return -1;
}

/* mount(2) on the target's descriptor, where the mount API of Linux 5.2 is refused. The new mount
 * is opened, and must show `wanted`, or for NULL another file system than the target's; otherwise
 * it is unmounted. Its descriptor, or -errno. */
static int old_mount(const char *source, const char *type, unsigned long flags, const char *data,
                     const char *target, const struct stat *wanted) {
  char name[32];
  struct stat below, now;
  AUTO_CLOSE int at = open(target, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0 || fstat(at, &below) < 0 || name_of(at, name) < 0 ||
      mount(source, name, type, flags, data) < 0)
    return -errno;
  int fd = open(target, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &now) == 0 &&
      (wanted ? now.st_dev == wanted->st_dev && now.st_ino == wanted->st_ino
              : now.st_dev != below.st_dev))
    return fd;
  close_fd(&fd);
  umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
  return -ESTALE;
}

static int32_t old_mount_fs(const char *fstype, const char *source, const char *list, uint32_t len,
                            unsigned attrs, const char *target) {
  char data[4096]; /* the kernel reads one page */
  size_t length = 0;
  unsigned long flags = old_flags(attrs);
  data[0] = 0;
  for (uint32_t at = 0; at < len; at += (uint32_t)strlen(list + at) + 1) {
    const char *option = list + at;
    unsigned long flag = superblock_flag(option);
    flags |= flag;
    if (flag)
      continue;
    if (strchr(option, ','))
      return -ENOSYS; /* mount(2) would split it */
    int n = snprintf(data + length, sizeof data - length, "%s%s", length ? "," : "", option);
    if (n < 0 || (size_t)n >= sizeof data - length)
      return -E2BIG;
    length += (size_t)n;
  }
  AUTO_CLOSE int fd = old_mount(source, fstype, flags, data, target, NULL);
  return fd < 0 ? fd : 0;
}

static int32_t old_mount_bind(const char *source, int recursive, unsigned attrs,
                              const char *target) {
  char name[32];
  struct stat wanted;
  struct statvfs now;
  AUTO_CLOSE int from = open(source, O_PATH | O_CLOEXEC);
  if (from < 0 || fstat(from, &wanted) < 0 || name_of(from, name) < 0)
    return -errno;
  /* mount(2) would change only the topmost mount. */
  if (attrs && recursive)
    return -ENOSYS;
  AUTO_CLOSE int fd =
      old_mount(name, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL, target, &wanted);
  if (fd < 0 || !attrs)
    return fd < 0 ? fd : 0;
  if (fstatvfs(fd, &now) == 0 && name_of(fd, name) == 0 &&
      mount(NULL, name, NULL,
            MS_REMOUNT | MS_BIND | changed_flags(now.f_flag, attrs, cleared_by(attrs)), NULL) == 0)
    return 0;
  int error = errno;
  umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
  return -error;
}

/* Mounts by the mount API; -ENOSYS where any call of it is refused. */
static int32_t new_mount_fs(const char *fstype, const char *source, const char *list, uint32_t len,
                            unsigned attrs, const char *target) {
  AUTO_CLOSE int fs = (int)syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC);
  if (fs < 0) {
    is_refused(SYS_fsopen);
    return -errno;
  }
  long r = set_string(fs, "source", source);
  if (r == 0)
    r = set_options(fs, list, len);
  if (r < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
    is_refused(SYS_fsconfig);
    return -errno;
  }
  AUTO_CLOSE int tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
  if (tree < 0)
    is_refused(SYS_fsmount);
  return tree < 0 ? -errno : attach_tree(tree, target);
}

int32_t runt_mountFs(const char *fstype, const char *source, const uint8_t *options,
                     uint32_t options_len, int32_t attrs, const char *target) {
  if (options_len > 0 && options[options_len - 1] != 0)
    return -EINVAL;
  const char *list = (const char *)options;
  int32_t r = new_mount_fs(fstype, source, list, options_len, (unsigned)attrs, target);
  return r == -ENOSYS ? old_mount_fs(fstype, source, list, options_len, (unsigned)attrs, target)
                      : r;
}

static int32_t new_mount_bind(const char *source, unsigned all, unsigned attrs,
                              const char *target) {
  AUTO_CLOSE int tree =
      (int)syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all);
  if (tree < 0) {
    is_refused(SYS_open_tree);
    return -errno;
  }
  struct mount_attr a = {.attr_set = attrs, .attr_clr = cleared_by(attrs)};
  if (attrs && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | all, &a, sizeof a) < 0) {
    is_refused(SYS_mount_setattr);
    return -errno;
  }
  return attach_tree(tree, target);
}

int32_t runt_mountBind(const char *source, int32_t recursive, int32_t attrs, const char *target) {
  int32_t r = new_mount_bind(source, recursive ? AT_RECURSIVE : 0, (unsigned)attrs, target);
  return r == -ENOSYS ? old_mount_bind(source, recursive, (unsigned)attrs, target) : r;
}

int32_t runt_unmount(const char *path) {
  return result(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
}
