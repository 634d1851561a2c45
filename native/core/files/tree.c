/* Directory trees: listing, removal, removal of a cgroup with those below it. */
#include "../core.h"
#include "../time-limits.h"
#include "directory-entry.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

/* Each level of a removal takes one descriptor and a buffer on the stack; deeper directories are
 * moved up first. */
enum { DEPTH_MAX = 256, ENTRIES_SIZE = 4096 };

static int is_dot(const char *name) {
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

int32_t runt_readDir(int32_t dirfd, const char *path, uint8_t *data, uint32_t data_cap) {
  _Alignas(8) char buffer[ENTRIES_SIZE * 2];
  uint32_t done = 0;
  AUTO_CLOSE int fd = RETRY(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd < 0)
    return -errno;
  for (;;) {
    long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    if (got < 0)
      return -errno;
    if (got == 0)
      return (int32_t)done;
    for (long at = 0; at < got;) {
      struct directory_entry *e = (struct directory_entry *)(void *)(buffer + at);
      at += e->length;
      if (is_dot(e->name))
        continue;
      size_t size = strlen(e->name) + 1;
      if (size > data_cap - done || done + size > INT32_MAX)
        return -EOVERFLOW;
      memcpy(data + done, e->name, size);
      done += (uint32_t)size;
    }
  }
}

/* A removal in progress: the directory that is removed, and how many deep ones were moved into it.
 */
struct removal {
  int top;
  unsigned moved;
};

static int remove_entry(int dirfd, const char *name, int type, int depth, struct removal *removal);

/* Removes the entries of the directory fd. */
static int empty_dir(int fd, int depth, struct removal *removal) {
  _Alignas(8) char buffer[ENTRIES_SIZE];
  for (;;) {
    long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    if (got <= 0)
      return got < 0 ? -errno : 0;
    for (long at = 0; at < got;) {
      struct directory_entry *e = (struct directory_entry *)(void *)(buffer + at);
      at += e->length;
      int r = is_dot(e->name) ? 0 : remove_entry(fd, e->name, e->type, depth, removal);
      if (r < 0)
        return r;
    }
  }
}

/* The id of the mount that fd is on (proc_pid_fdinfo(5)); -1 when it cannot be read. */
static long mount_of(int fd) {
  char path[48], text[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  AUTO_CLOSE int info = RETRY(open(path, O_RDONLY | O_CLOEXEC));
  ssize_t n = info < 0 ? -1 : RETRY(read(info, text, sizeof text - 1));
  if (n < 0)
    return -1;
  text[n] = 0;
  const char *id = strstr(text, "mnt_id:");
  return id ? strtol(id + strlen("mnt_id:"), NULL, 10) : -1;
}

/* Opens the directory name (one component) in dirfd, unless it is a symlink or on another mount
 * (-EXDEV). */
static int open_below(int dirfd, const char *name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct open_how how = {.flags = (uint64_t)flags,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  int fd = (int)RETRY(syscall(SYS_openat2, dirfd, name, &how, sizeof how));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return result(fd);
  /* Before Linux 5.6, or under a seccomp filter. AT_FDCWD has no number in fdinfo. */
  AUTO_CLOSE int here = RETRY(openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (here < 0)
    return -errno;
  fd = RETRY(openat(here, name, flags));
  if (fd < 0)
    return -errno;
  long mount = mount_of(here);
  if (mount >= 0 && mount == mount_of(fd))
    return fd;
  close(fd);
  return -EXDEV;
}

/* Moves a directory that is too deep for the recursion to the top of the tree, where another pass
 * finds it. A container can make a tree of any depth with relative paths. Its own entries may have
 * such names: the next number is tried. */
static int move_up(int dirfd, const char *name, struct removal *removal) {
  char moved[32];
  for (int attempt = 0; attempt < REMOVE_PASSES; attempt++) {
    snprintf(moved, sizeof moved, ".runt-deep-%u", removal->moved++);
    if (renameat(dirfd, name, removal->top, moved) == 0 || errno == ENOENT)
      return 0;
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
      return -errno;
  }
  return -EEXIST;
}

/* Removes name (one component) from dirfd. A mount point below it ends this with -EXDEV, before
 * anything in the mount is touched. */
static int remove_entry(int dirfd, const char *name, int type, int depth, struct removal *removal) {
  if (type != DT_DIR) {
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
      return 0;
    if (errno != EISDIR)
      return -errno;
  }
  if (depth == 0)
    return move_up(dirfd, name, removal);
  const int is_top = depth == DEPTH_MAX;
  AUTO_CLOSE int fd = -1;
  /* A name that is added during the read may be missed: read again while rmdir finds the directory
   * not empty. Each pass that moved a directory up left it to the next one. */
  for (int pass = 0; pass < REMOVE_PASSES; pass++) {
    close_fd(&fd);
    fd = open_below(dirfd, name);
    if (fd < 0)
      return fd == -ENOENT ? 0 : fd;
    if (is_top)
      removal->top = fd;
    const unsigned before = removal->moved;
    int r = empty_dir(fd, depth - 1, removal);
    if (r < 0)
      return r;
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
      return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
      return -errno;
    if (is_top && removal->moved != before)
      pass = -1;
  }
  return -ENOTEMPTY;
}

int32_t runt_removeTree(int32_t dirfd, const char *path) {
  char parent[PATH_MAX];
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/')
    n--;
  if (n >= sizeof parent)
    return -ENAMETOOLONG;
  memcpy(parent, path, n);
  parent[n] = 0;
  char *slash = strrchr(parent, '/');
  char *name = slash ? slash + 1 : parent;
  if (!*name || is_dot(name))
    return -EINVAL;
  struct removal removal = {.top = -1};
  if (!slash)
    return remove_entry(dirfd, name, DT_UNKNOWN, DEPTH_MAX, &removal);
  char last[NAME_MAX + 1];
  if (strlen(name) > NAME_MAX)
    return -ENAMETOOLONG;
  memcpy(last, name, strlen(name) + 1);
  *name = 0; /* leaves the parent with its slash, "/" for the root */
  AUTO_CLOSE int up = RETRY(openat(dirfd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (up < 0)
    return errno == ENOENT ? 0 : -errno;
  return remove_entry(up, last, DT_UNKNOWN, DEPTH_MAX, &removal);
}

/* rmdir of a cgroup removes its files with it; cgroups below it must go first (EBUSY). */
static int remove_cgroup(int dirfd, const char *name, int depth) {
  if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return 0;
  if (errno != EBUSY && errno != ENOTEMPTY)
    return -errno;
  if (depth == 0)
    return -ELOOP;
  AUTO_CLOSE int fd = RETRY(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0)
    return errno == ENOENT ? 0 : -errno;
  _Alignas(8) char buffer[ENTRIES_SIZE];
  int below = 0;
  for (;;) {
    long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    if (got < 0)
      return -errno;
    if (got == 0)
      break;
    for (long at = 0; at < got;) {
      struct directory_entry *e = (struct directory_entry *)(void *)(buffer + at);
      at += e->length;
      if (e->type != DT_DIR || is_dot(e->name))
        continue;
      int r = remove_cgroup(fd, e->name, depth - 1);
      if (r < 0)
        return r;
      below = 1;
    }
  }
  if (!below)
    return -EBUSY;
  return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int32_t runt_removeCgroup(const char *path) {
  char parent[PATH_MAX];
  size_t n = strlen(path);
  if (n >= sizeof parent)
    return -ENAMETOOLONG;
  memcpy(parent, path, n + 1);
  char *slash = strrchr(parent, '/');
  if (!slash || !slash[1] || is_dot(slash + 1))
    return -EINVAL;
  *slash = 0;
  AUTO_CLOSE int up =
      RETRY(openat(AT_FDCWD, *parent ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (up < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
  /* A directory below one of a cgroup file system is a cgroup, or busy with another mount. */
  struct statfs fs;
  if (fstatfs(up, &fs) < 0)
    return -errno;
  if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
    return 0;
  return remove_cgroup(up, slash + 1, DEPTH_MAX);
}
