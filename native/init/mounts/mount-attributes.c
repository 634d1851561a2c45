/* Attributes and propagation of a mount, by its descriptor: mount_setattr(2), or mount(2) before
 * Linux 5.12. */
#include "../../core/time-limits.h"
#include "../init.h"
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

/* In the root directory of a lookup `..` is that directory, and the kernel then enters what is
 * mounted on it. Without openat2 the directory becomes the root of this process for a short time:
 * the process has one thread, and the descriptor of `/` leads back. */
int open_mounted_on(int fd) {
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
  for (int i = 0; i < 128; i++) {
    int top = sys_openat2(fd, "..", &how);
    if (top >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOSYS && errno != EPERM))
      return top;
    if (errno == ENOSYS || errno == EPERM)
      break;
  }
  int back CLEANUP_CLOSE = sys_open("/", O_PATH | O_DIRECTORY);
  if (back < 0 || fchdir(fd) || chroot("."))
    return -1;
  int top = sys_open("..", O_PATH | O_DIRECTORY);
  if (fchdir(back) || chroot("."))
    _exit(1);
  return top;
}

static int try_attributes(int fd, uint64_t set, uint64_t clear, int recursive) {
  struct mount_attr a = {.attr_set = set, .attr_clr = clear};
  if (!sys_mount_setattr(fd, recursive ? AT_RECURSIVE : 0, &a))
    return 0;
  if (errno != ENOSYS || recursive)
    return -1;
  /* mount(2) sets all flags of a mount: first read those that stay. */
  struct statvfs now;
  if (fstatvfs(fd, &now))
    return -1;
  return mount_on(fd, NULL, NULL, MS_REMOUNT | MS_BIND | changed_flags(now.f_flag, set, clear),
                  NULL);
}

/* Retries for three seconds while the mount cannot become read-only (EBUSY). */
int set_attributes(int fd, uint64_t set, uint64_t clear, int recursive) {
  static const struct timespec pause = {.tv_nsec = READONLY_PAUSE_NS};
  if (!set && !clear)
    return 0;
  /* The kernel accepts a new access time mode only with the whole field cleared. */
  if (set & MOUNT_ATTR__ATIME)
    clear |= MOUNT_ATTR__ATIME;
  for (int i = 0; try_attributes(fd, set, clear, recursive); i++) {
    if (errno != EBUSY || !(set & MOUNT_ATTR_RDONLY) || i == READONLY_TRIES)
      return -1;
    syscall(SYS_nanosleep, &pause, NULL);
  }
  return 0;
}

/* Flag by flag: the kernel applies all of a call or nothing. */
int set_unlocked_attributes(int fd, uint64_t set, uint64_t clear, int recursive, uint64_t *locked) {
  static const uint64_t flags[] = {MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID,     MOUNT_ATTR_NODEV,
                                   MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR__ATIME};
  if (!set_attributes(fd, set, clear, recursive))
    return 0;
  /* The flags to set are stricter than the host's: without them the mount would allow too much. */
  if (errno != EPERM || set_attributes(fd, set, 0, recursive))
    return -1;
  if (set & MOUNT_ATTR__ATIME)
    clear &= ~(uint64_t)MOUNT_ATTR__ATIME;
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    uint64_t flag = clear & flags[i];
    clear &= ~flag;
    if (!flag || !set_attributes(fd, 0, flag, recursive))
      continue;
    if (errno != EPERM)
      return -1;
    /* Perhaps only a mount below locks it. */
    if (!recursive || set_attributes(fd, 0, flag, 0))
      *locked |= flag;
  }
  return set_attributes(fd, 0, clear, recursive);
}

/* The line of mountinfo for a mount; 0, or -1 when there is none. */
static int find_line(const char *at, int64_t id, struct mountinfo *line) {
  while ((at = mountinfo_next(at, line)))
    if (line->id == id)
      return 0;
  return -1;
}

static int is_below(const char *mountinfo, struct mountinfo line, int64_t top) {
  for (int depth = 0; depth < PATH_MAX && line.parent != line.id; depth++) {
    if (line.parent == top)
      return 1;
    if (find_line(mountinfo, line.parent, &line))
      return 0;
  }
  return 0;
}

/* Finds each mount below by its path, and checks its id. A mount that was moved or is covered is
 * an error, as none may be skipped. */
int set_all_readonly(int fd, const char *path) {
  int64_t top = mount_id(fd);
  const char *all = top < 0 ? NULL : mountinfo_read();
  struct mountinfo own, line;
  char directory[PATH_MAX], target[PATH_MAX];
  if (!all)
    return top < 0 ? fail("statx", path) : -1;
  if (find_line(all, top, &own))
    return fail_with(ENOENT, "read", "/proc/self/mountinfo");
  if (mountinfo_target(&own, directory))
    return -1;
  size_t length = strlen(directory);
  for (const char *at = all; (at = mountinfo_next(at, &line));) {
    if (!is_below(all, line, top))
      continue;
    if (mountinfo_target(&line, target))
      return -1;
    int found CLEANUP_CLOSE = !strncmp(target, directory, length) && target[length] == '/'
                                  ? resolve_below(fd, target + length + 1)
                                  : -1;
    if (found < 0 || mount_id(found) != line.id)
      return fail_with(ENOSYS, "mount_setattr", path);
    if (set_attributes(found, MOUNT_ATTR_RDONLY, 0, 0))
      return fail("mount", target);
  }
  return set_attributes(fd, MOUNT_ATTR_RDONLY, 0, 0) ? fail("mount", path) : 0;
}

int map_ids(int fd, int user_namespace, int recursive) {
  struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
  return sys_mount_setattr(fd, recursive ? AT_RECURSIVE : 0, &a);
}

int set_propagation(int fd, const struct value *list) {
  const char *item = list->str;
  for (uint64_t i = 0; i < list->num; i++) {
    uint64_t flags = next_in_list(&item);
    struct mount_attr a = {.propagation = flags & ~(uint64_t)MS_REC};
    if (!sys_mount_setattr(fd, flags & MS_REC ? AT_RECURSIVE : 0, &a))
      continue;
    if (errno != ENOSYS || mount_on(fd, NULL, NULL, flags, NULL))
      return -1;
  }
  return 0;
}
