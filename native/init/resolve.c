/* The one way to a path in the container: it never leaves the root, whatever symlinks the root file
 * system holds and whoever changes them meanwhile (CVE-2019-18837, CVE-2021-30465, CVE-2024-45310,
 * CVE-2026-41579). What is found is an O_PATH descriptor; everything after that works on the
 * descriptor, so that there is nothing left to be swapped. */
#include "init.h"
#include <stdio.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40, RETRIES = 128 };

/* Joins what stands before a symlink, its content and what follows, into out. 0, or -1 with errno.
 */
static int expand(char out[PATH_MAX], const char *before, const char *link, const char *after) {
  int n = link[0] == '/' ? snprintf(out, PATH_MAX, "%s/%s", link, after)
                         : snprintf(out, PATH_MAX, "%s/%s/%s", before, link, after);
  if (n >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return 0;
}

/* Cuts the next component off *path into name. 1, or 0 at the end, or -1 with errno. */
static int next_component(const char **path, char name[NAME_MAX + 1]) {
  const char *p = *path;
  while (*p == '/')
    p++;
  size_t n = strcspn(p, "/");
  if (n > NAME_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, p, n);
  name[n] = 0;
  *path = p + n;
  return n > 0;
}

/* Walks without openat2 (seccomp profiles of older engines forbid it): one component at a time with
 * O_NOFOLLOW, symlinks expanded as text and `..` cut off as text, so that no descriptor above the
 * root is ever opened. */
static int walk(const char *path, int flags, uint64_t restrictions) {
  char pending[PATH_MAX], done[PATH_MAX], link[PATH_MAX], again[PATH_MAX];
  char name[NAME_MAX + 1];
  int links = 0;
  if (snprintf(pending, sizeof pending, "%s", path) >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
restart:;
  done[0] = 0;
  const char *rest = pending;
  int dir = openat(init.root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), more;
  while (dir >= 0 && (more = next_component(&rest, name)) != 0) {
    if (more < 0) {
      close(dir);
      return -1;
    }
    if (strcmp(name, ".") == 0)
      continue;
    if (strcmp(name, "..") == 0) {
      char *slash = strrchr(done, '/');
      if (slash)
        *slash = 0;
      if (expand(again, "", done[0] ? done : "/", rest)) {
        close(dir);
        return -1;
      }
      memcpy(pending, again, sizeof pending);
      close(dir);
      goto restart;
    }
    int last = rest[strspn(rest, "/")] == 0;
    int next = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (next >= 0 && fstat(next, &st) == 0 && S_ISLNK(st.st_mode) &&
        !(last && flags & O_NOFOLLOW)) {
      ssize_t n = readlinkat(next, "", link, sizeof link - 1);
      close(next);
      close(dir);
      if (n < 0)
        return -1;
      link[n] = 0;
      if (restrictions & RESOLVE_NO_SYMLINKS_ || ++links > LINKS_MAX) {
        errno = ELOOP;
        return -1;
      }
      if (expand(again, done, link, rest))
        return -1;
      memcpy(pending, again, sizeof pending);
      goto restart;
    }
    int saved = errno;
    close(dir);
    errno = saved;
    dir = next;
    size_t n = strlen(done);
    snprintf(done + n, sizeof done - n, "/%s", name);
  }
  if (dir >= 0 && flags & O_DIRECTORY) {
    struct stat st;
    if (fstat(dir, &st) || !S_ISDIR(st.st_mode)) {
      close(dir);
      errno = ENOTDIR;
      return -1;
    }
  }
  return dir;
}

int resolve(const char *path, int flags, uint64_t restrictions) {
  struct open_how_ how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
                          .resolve = RESOLVE_IN_ROOT_ | RESOLVE_NO_MAGICLINKS_ | restrictions};
  for (int i = 0; i < RETRIES; i++) {
    int fd = sys_openat2(init.root, path, &how);
    if (fd >= 0)
      return fd;
    if (errno == ENOSYS || errno == EPERM)
      return walk(path, flags, restrictions);
    /* A rename or a mount elsewhere raced with a `..`: the kernel could not tell, and asks to try
     * again. */
    if (errno != EAGAIN && errno != EINTR)
      return -1;
  }
  return -1;
}

/* Makes name in dir, as kind, and opens it without following a symlink. ELOOP when it is one. */
static int make_in(int dir, const char *name, enum target kind) {
  if (kind == TARGET_DIRECTORY) {
    if (mkdirat(dir, name, 0755) && errno != EEXIST)
      return -1;
  } else {
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0)
      close(fd);
    else if (errno != EEXIST)
      return -1;
  }
  int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) {
    close_cleanup(&fd);
    return -1;
  }
  int error = S_ISLNK(st.st_mode)                                 ? ELOOP
              : S_ISDIR(st.st_mode) == (kind == TARGET_DIRECTORY) ? 0
              : S_ISDIR(st.st_mode)                               ? EISDIR
                                                                  : ENOTDIR;
  if (!error)
    return fd;
  close(fd);
  errno = error;
  return -1;
}

/* Opens the deepest directory of path that exists and gives what is missing below it. */
static int deepest(const char *path, char existing[PATH_MAX], const char **missing) {
  size_t length = strlen(path);
  for (;;) {
    while (length > 0 && path[length - 1] != '/')
      length--;
    while (length > 0 && path[length - 1] == '/')
      length--;
    memcpy(existing, path, length);
    existing[length] = 0;
    *missing = path + length;
    int fd = resolve(length ? existing : "/", O_DIRECTORY, 0);
    if (fd >= 0 || length == 0 || errno != ENOENT)
      return fd;
  }
}

int resolve_or_make(const char *path, enum target kind, uint64_t restrictions, int *existed) {
  char current[PATH_MAX], before[PATH_MAX], link[PATH_MAX], again[PATH_MAX];
  char name[NAME_MAX + 1];
  *existed = 1;
  if (snprintf(current, sizeof current, "%s", path) >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (int links = 0; links < LINKS_MAX; links++) {
    int fd = resolve(current, 0, restrictions);
    if (fd >= 0 || errno != ENOENT)
      return fd;
    *existed = 0;
    const char *rest;
    int dir = deepest(current, before, &rest);
    int followed = 0;
    while (dir >= 0 && !followed) {
      int more = next_component(&rest, name);
      if (more <= 0)
        break;
      int last = rest[strspn(rest, "/")] == 0;
      int next = -1;
      if (strcmp(name, "..") == 0)
        errno = ENOENT; /* above what is missing: there is no such place */
      else if (strcmp(name, ".") == 0)
        continue;
      else
        next = make_in(dir, name, last ? kind : TARGET_DIRECTORY);
      if (next < 0 && errno == ELOOP) {
        /* A symlink that leads nowhere yet (an image's /etc/resolv.conf): what it names is made,
         * inside the root. */
        ssize_t n = readlinkat(dir, name, link, sizeof link - 1);
        close(dir);
        if (n < 0 || restrictions & RESOLVE_NO_SYMLINKS_)
          return errno = ELOOP, -1;
        link[n] = 0;
        if (expand(again, before, link, rest))
          return -1;
        memcpy(current, again, sizeof current);
        followed = 1;
        break;
      }
      close_cleanup(&dir);
      dir = next;
      size_t n = strlen(before);
      if (n + strlen(name) + 2 > sizeof before) {
        close_cleanup(&dir);
        errno = ENAMETOOLONG;
        return -1;
      }
      before[n] = '/';
      strcpy(before + n + 1, name);
    }
    if (!followed)
      return dir;
  }
  errno = ELOOP;
  return -1;
}

int resolve_parent(const char *path, const char **name) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= sizeof directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(directory, path, n);
  directory[n] = 0;
  *name = slash ? slash + 1 : path;
  if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  int existed;
  return resolve_or_make(n ? directory : "/", TARGET_DIRECTORY, 0, &existed);
}

/* Safe: made inside the root by descriptors; 0755 is not writable for others (the umask is 0). */
int op_mkdir(const struct op *op) {
  int existed;
  int fd CLEANUP_CLOSE = resolve_or_make(op->v[MKDIR_PATH].str, TARGET_DIRECTORY, 0, &existed);
  if (fd < 0)
    return fail("mkdir", op->v[MKDIR_PATH].str);
  return 0;
}
