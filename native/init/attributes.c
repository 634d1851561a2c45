/* Attributes and propagation of a mount that a descriptor names: mount_setattr(2), with mount(2)
 * where the kernel has no mount_setattr (before 5.12). */
#include "init.h"
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <time.h>

int mount_on(int fd, const char *source, const char *type, unsigned long flags, const char *data) {
  char number[16];
  struct text t = TEXT_IN(number);
  text_add_number(&t, (uint64_t)fd);
  int dir CLEANUP_CLOSE = proc_open_self("fd", O_RDONLY | O_DIRECTORY);
  if (dir < 0 || fchdir(dir))
    return -1;
  int r = mount(source, number, type, flags, data);
  int saved = errno;
  if (init.root >= 0 && fchdir(init.root))
    return -1;
  errno = saved;
  return r;
}

/* `..` of the directory that is the root of a lookup is that directory, and the kernel goes on to
 * what is mounted on it. Without openat2 the root of this process is that directory for a moment:
 * it has one thread, and the descriptor of `/` leads back. */
int open_mounted_on(int fd) {
  struct open_how_ how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT_};
  for (int i = 0; i < 128; i++) {
    int top = sys_openat2(fd, "..", &how);
    if (top >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOSYS && errno != EPERM))
      return top;
    if (errno == ENOSYS || errno == EPERM)
      break;
  }
  int back CLEANUP_CLOSE = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (back < 0 || fchdir(fd) || chroot("."))
    return -1;
  int top = open("..", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fchdir(back) || chroot("."))
    _exit(1);
  return top;
}

unsigned long old_flags(uint64_t attributes) {
  static const struct {
    unsigned attribute;
    unsigned long flag;
  } pairs[] = {
      {MOUNT_ATTR_RDONLY_, MS_RDONLY},         {MOUNT_ATTR_NOSUID_, MS_NOSUID},
      {MOUNT_ATTR_NODEV_, MS_NODEV},           {MOUNT_ATTR_NOEXEC_, MS_NOEXEC},
      {MOUNT_ATTR_NOATIME_, MS_NOATIME},       {MOUNT_ATTR_STRICTATIME_, MS_STRICTATIME},
      {MOUNT_ATTR_NODIRATIME_, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW_, 256 /* MS_NOSYMFOLLOW */}};
  unsigned long flags = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (attributes & pairs[i].attribute)
      flags |= pairs[i].flag;
  return flags;
}

static int try_attributes(int fd, uint64_t set, uint64_t clear, int recursive) {
  struct mount_attributes a = {.set = set, .clear = clear};
  if (!sys_mount_setattr(fd, recursive ? AT_RECURSIVE_ : 0, &a))
    return 0;
  if (errno != ENOSYS || recursive)
    return -1;
  struct statvfs now;
  if (fstatvfs(fd, &now))
    return -1;
  /* The ST_* flags of statvfs(3) have the values of MS_* for what is kept here. */
  unsigned long keep =
      now.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
  return mount_on(fd, NULL, NULL,
                  MS_REMOUNT | MS_BIND | (keep & ~old_flags(clear)) | old_flags(set), NULL);
}

/* A mount on which a file is open for writing cannot become read-only (EBUSY). A daemon that a hook
 * left behind writes, or updates an access time, for a moment: try again for a second. */
int set_attributes(int fd, uint64_t set, uint64_t clear, int recursive) {
  enum { TRIES = 1000 };
  static const struct timespec pause = {.tv_nsec = 1000000};
  if (!set && !clear)
    return 0;
  /* The kernel takes a new access time mode only with the whole field cleared. */
  if (set & MOUNT_ATTR_ATIME_)
    clear |= MOUNT_ATTR_ATIME_;
  for (int i = 0; try_attributes(fd, set, clear, recursive); i++) {
    if (errno != EBUSY || !(set & MOUNT_ATTR_RDONLY_) || i == TRIES)
      return -1;
    syscall(SYS_nanosleep, &pause, NULL);
  }
  return 0;
}

/* Each by itself: the kernel takes all of a call or nothing. */
int set_unlocked_attributes(int fd, uint64_t set, uint64_t clear, int recursive, uint64_t *kept) {
  static const uint64_t flags[] = {MOUNT_ATTR_RDONLY_, MOUNT_ATTR_NOSUID_,     MOUNT_ATTR_NODEV_,
                                   MOUNT_ATTR_NOEXEC_, MOUNT_ATTR_NODIRATIME_, MOUNT_ATTR_ATIME_};
  if (!set_attributes(fd, set, clear, recursive))
    return 0;
  /* What is to be set is more than what the host has: without it the mount would allow too much. */
  if (errno != EPERM || set_attributes(fd, set, 0, recursive))
    return -1;
  if (set & MOUNT_ATTR_ATIME_)
    clear &= ~(uint64_t)MOUNT_ATTR_ATIME_;
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    uint64_t flag = clear & flags[i];
    clear &= ~flag;
    if (!flag || !set_attributes(fd, 0, flag, recursive))
      continue;
    if (errno != EPERM)
      return -1;
    /* Perhaps it is locked on a mount below alone. */
    if (!recursive || set_attributes(fd, 0, flag, 0))
      *kept |= flag;
  }
  return set_attributes(fd, 0, clear, recursive);
}

int map_ids(int fd, int user_namespace) {
  struct mount_attributes a = {.set = MOUNT_ATTR_IDMAP_, .userns_fd = (uint64_t)user_namespace};
  return sys_mount_setattr(fd, 0, &a);
}

int set_propagation(int fd, const struct value *list) {
  const char *s = list->str;
  for (uint64_t i = 0; i < list->num; i++, s = next_string(s)) {
    uint64_t flags;
    if (text_number(s, strlen(s), UINT32_MAX, &flags)) {
      errno = EINVAL;
      return -1;
    }
    struct mount_attributes a = {.propagation = flags & ~(uint64_t)MS_REC};
    if (!sys_mount_setattr(fd, flags & MS_REC ? AT_RECURSIVE_ : 0, &a))
      continue;
    if (errno != ENOSYS || mount_on(fd, NULL, NULL, flags, NULL))
      return -1;
  }
  return 0;
}
