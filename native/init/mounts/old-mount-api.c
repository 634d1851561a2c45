/* Mounts by mount(2), where the mount API of Linux 5.2 is refused.
 *
 * A clone is bound in the staging directory, which only this process has, and stays there
 * until it is moved onto its target. So a tree is a descriptor of a mount here too, finished
 * before the container can see it, and operations do not depend on the API.
 *
 * Safe: mount(2) gets only paths of descriptors in procfs (mount_on), so that nothing can be
 * swapped. Each new mount is opened; it must differ from the directory below it and show what
 * was bound. */
#include "../init.h"
#include <sys/mount.h>

static int refused;      /* open_tree(2) is refused, as the first call showed */
static int staging = -1; /* a tmpfs that only root of the container's user namespace may enter */
static int over_root;    /* the next staging directory is mounted over the container's root */
static unsigned count;   /* of staged mounts */

/* The host's mounts here are copies, but may have peers: these must not get the staging
 * directory. */
static int make_private(int parent) {
  if (!mount_on(parent, NULL, NULL, MS_PRIVATE, NULL))
    return 0;
  int proc CLEANUP_CLOSE = errno == EINVAL ? sys_open("/proc", O_PATH | O_DIRECTORY) : -1;
  return proc < 0 ? -1 : mount_on(proc, NULL, NULL, MS_PRIVATE, NULL);
}

/* Before the switch of root, a directory of the host's procfs that is never a bind source: it
 * disappears with the host's tree. After it the root, as a process in the root does not see what
 * covers it; drop_staging() unmounts it. */
static int open_staging_parent(void) {
  if (over_root)
    return sys_duplicate(init.root);
  int fd = sys_open("/proc/fs", O_PATH | O_DIRECTORY);
  if (fd < 0)
    fd = sys_open("/proc/self/task", O_PATH | O_DIRECTORY);
  if (fd >= 0 && !make_private(fd))
    return fd;
  close_cleanup(&fd);
  return -1;
}

/* Unbindable: a recursive clone of the host's tree omits it. */
static int open_staging(void) {
  if (staging >= 0)
    return 0;
  int parent CLEANUP_CLOSE = open_staging_parent();
  if (parent < 0 ||
      mount_on(parent, "runt", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
    return -1;
  struct identity below, now;
  int fd CLEANUP_CLOSE = open_mounted_on(parent);
  if (fd < 0 || identify(parent, &below) || identify(fd, &now) ||
      mount_on(fd, NULL, NULL, MS_UNBINDABLE, NULL))
    return -1;
  if (now.mount == below.mount) {
    errno = EAGAIN;
    return -1;
  }
  staging = fd;
  fd = -1;
  return 0;
}

/* mount(2) on a new directory or file of the staging directory. The mount, or -1 with errno. */
static int stage(const char *source, const char *type, unsigned long flags, const char *data,
                 int directory) {
  char name[16];
  struct text t = TEXT_IN(name);
  if (open_staging())
    return -1;
  text_add_number(&t, count++);
  int point CLEANUP_CLOSE = -1;
  if (directory ? !mkdirat(staging, name, 0700)
                : (point = openat(staging, name, O_CREAT | O_EXCL | O_CLOEXEC, 0600)) >= 0) {
    close_cleanup(&point);
    point = openat(staging, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  if (point < 0 || mount_on(point, source, type, flags, data))
    return -1;
  struct identity below, now;
  int fd = openat(staging, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || identify(point, &below) || identify(fd, &now)) {
    close_cleanup(&fd);
    return -1;
  }
  if (now.mount != below.mount)
    return fd;
  close(fd);
  errno = EAGAIN;
  return -1;
}

static int stage_clone(int dirfd, const char *path, unsigned flags) {
  int opened CLEANUP_CLOSE =
      *path
          ? openat(dirfd, path, O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0))
          : -1;
  int from = *path ? opened : dirfd;
  struct identity wanted, now;
  char number[16];
  struct text t = TEXT_IN(number);
  if (from < 0 || identify(from, &wanted))
    return -1;
  text_add_number(&t, (uint64_t)from);
  int fd = stage(number, NULL, MS_BIND | (flags & AT_RECURSIVE ? MS_REC : 0), NULL,
                 S_ISDIR(wanted.type));
  if (fd < 0 || identify(fd, &now)) {
    close_cleanup(&fd);
    return -1;
  }
  if (now.device != wanted.device || now.inode != wanted.inode)
    errno = ESTALE;
  /* A peer of the mount that it is moved onto would get a copy of it. */
  else if (!over_root || !mount_on(fd, NULL, NULL, MS_PRIVATE | MS_REC, NULL))
    return fd;
  close_cleanup(&fd);
  return -1;
}

int clone_mount(int dirfd, const char *path, unsigned flags) {
  if (!refused) {
    int fd = sys_open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
    if (fd >= 0 || errno != ENOSYS)
      return fd;
    refused = 1;
  }
  int fd = stage_clone(dirfd, path, flags);
  /* The first error stands where mount(2) is forbidden, and in a user namespace where this process
   * has no id yet: it could not own a directory of the staging one. */
  if (fd < 0 &&
      (errno == ENOSYS || errno == EOVERFLOW || (errno == EPERM && !init.user_namespace))) {
    refused = 0;
    errno = ENOSYS;
  }
  return fd;
}

int stage_fs(const char *type, unsigned long flags, const char *data) {
  return stage(type, type, flags, data, 1);
}

int move_tree(int tree, int target) {
  if (!refused)
    return sys_move_mount(tree, target);
  char number[16];
  struct text t = TEXT_IN(number);
  text_add_number(&t, (uint64_t)tree);
  return mount_on(target, number, NULL, MS_MOVE, NULL);
}

int is_staging(void) { return refused; }

const char *clone_call(void) { return refused ? "mount" : "open_tree"; }
const char *move_call(void) { return refused ? "mount" : "move_mount"; }

void leave_staging(void) {
  close_cleanup(&staging);
  staging = -1;
  over_root = 1;
}

int drop_staging(void) {
  if (staging < 0)
    return 0;
  char number[16];
  struct text t = TEXT_IN(number);
  text_add_number(&t, (uint64_t)staging);
  int dir CLEANUP_CLOSE = proc_open_self("fd", O_RDONLY | O_DIRECTORY);
  if (dir < 0 || fchdir(dir) || umount2(number, MNT_DETACH) || fchdir(init.root))
    return -1;
  close_cleanup(&staging);
  staging = -1;
  return 0;
}
