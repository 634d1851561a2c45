/* tmpcopyup: a tmpfs that starts as a copy of the directory that it covers. */
#include "../../core/files/directory-entry.h"
#include "../init.h"
#include <sys/sendfile.h>
#include <sys/xattr.h>

/* Each directory level takes two descriptors, and ENTRIES_SIZE bytes of the stack. */
enum { DEPTH_MAX = 200, ENTRIES_SIZE = 4096, NAMES_MAX = 8192, VALUE_MAX = 8192 };

/* Attributes such as file capabilities and ACLs. Those that the tmpfs refuses, or that only an
 * overlay may set, are not part of the file that the container would see. */
static int copy_xattrs(int from, int to) {
  static char names[NAMES_MAX], value[VALUE_MAX];
  ssize_t length = flistxattr(from, names, sizeof names);
  if (length < 0)
    return errno == EOPNOTSUPP ? 0 : -1;
  for (char *name = names; name < names + length; name += strlen(name) + 1) {
    ssize_t n = fgetxattr(from, name, value, sizeof value);
    if (n < 0 && errno == ENODATA)
      continue;
    if (n < 0)
      return -1;
    if (fsetxattr(to, name, value, (size_t)n, 0) && errno != EOPNOTSUPP && errno != EPERM)
      return -1;
  }
  return 0;
}

/* Owner before mode: a change of owner clears the set-user-id bit. */
static int copy_metadata(int from, int to, const struct stat *st) {
  struct timespec times[2] = {st->st_atim, st->st_mtim};
  return fchown(to, st->st_uid, st->st_gid) || fchmod(to, st->st_mode & 07777) ||
                 copy_xattrs(from, to) || futimens(to, times)
             ? -1
             : 0;
}

static int copy_content(int from, int to) {
  for (ssize_t n; (n = sendfile(to, from, NULL, 1 << 20)) != 0;)
    if (n < 0 && errno != EINTR)
      return -1;
  return 0;
}

static int copy_directory(int from, int to, int depth);

static int copy_special(int from, int to, const char *name, const struct stat *st) {
  if (S_ISLNK(st->st_mode)) {
    char content[PATH_MAX];
    ssize_t n = readlinkat(from, name, content, sizeof content - 1);
    if (n < 0)
      return -1;
    content[n] = 0;
    if (symlinkat(content, to, name))
      return -1;
  } else if (mknodat(to, name, st->st_mode, st->st_rdev))
    return -1;
  return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_entry(int from, int to, const char *name, int depth) {
  struct stat st;
  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
    return -1;
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
    return copy_special(from, to, name, &st);
  /* In a shared directory another process may have swapped the file meanwhile. */
  int in CLEANUP_CLOSE = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (in < 0 || fstat(in, &st))
    return -1;
  int directory = S_ISDIR(st.st_mode);
  if (!directory && !S_ISREG(st.st_mode)) {
    errno = EAGAIN;
    return -1;
  }
  if (directory && mkdirat(to, name, 0700))
    return -1;
  int out CLEANUP_CLOSE = directory
                              ? openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                              : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0 || (directory ? copy_directory(in, out, depth + 1) : copy_content(in, out)))
    return -1;
  return copy_metadata(in, out, &st);
}

static int copy_directory(int from, int to, int depth) {
  _Alignas(struct directory_entry) char buffer[ENTRIES_SIZE];
  if (depth > DEPTH_MAX) {
    errno = ELOOP;
    return -1;
  }
  for (long n; (n = syscall(SYS_getdents64, from, buffer, sizeof buffer)) != 0;) {
    if (n < 0)
      return -1;
    for (char *at = buffer; at < buffer + n; at += ((struct directory_entry *)(void *)at)->length) {
      const char *name = ((struct directory_entry *)(void *)at)->name;
      if (strcmp(name, ".") && strcmp(name, "..") && copy_entry(from, to, name, depth))
        return -1;
    }
  }
  return 0;
}

int copy_up(int directory, int tree, int owner) {
  int from CLEANUP_CLOSE = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int to CLEANUP_CLOSE = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  if (from < 0 || to < 0 || fstat(from, &st) || (owner && fchown(to, st.st_uid, st.st_gid)))
    return -1;
  return copy_directory(from, to, 0);
}
