/* The one way to a path in the container: it never leaves the root, whatever symlinks the root file
 * system holds and whoever changes them meanwhile (CVE-2019-18837, CVE-2021-30465, CVE-2024-45310,
 * CVE-2026-41579). What is found is an O_PATH descriptor; everything after that works on the
 * descriptor, so that there is nothing left to be swapped. */
#include "init.h"

enum { LINKS_MAX = 40, RETRIES = 128 };

/* Joins what stands before a symlink, its content and what follows, into out. 0, or -1 with errno.
 */
static int expand(char out[PATH_MAX], const char *before, const char *link, const char *after) {
  struct text t = text_in(out, PATH_MAX);
  if (link[0] != '/') {
    text_add(&t, before);
    text_add_char(&t, '/');
  }
  text_add(&t, link);
  text_add_char(&t, '/');
  text_add(&t, after);
  if (!t.cut)
    return 0;
  errno = ENAMETOOLONG;
  return -1;
}

/* Copies path into out. 0, or -1 with errno. */
static int copy_path(char out[PATH_MAX], const char *path) {
  struct text t = text_in(out, PATH_MAX);
  text_add(&t, path);
  if (!t.cut)
    return 0;
  errno = ENAMETOOLONG;
  return -1;
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
  if (copy_path(pending, path))
    return -1;
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
    /* No longer than pending: each name was cut from it. */
    struct text t = {done, sizeof done, strlen(done), 0};
    text_add_char(&t, '/');
    text_add(&t, name);
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
  return walk(path, flags, restrictions);
}

/* Makes name in dir, as kind, and opens it without following a symlink. ELOOP when it is one. */
static int make_in(int dir, const char *name, mode_t kind) {
  if (S_ISDIR(kind)) {
    if (mkdirat(dir, name, kind & 07777) && errno != EEXIST)
      return -1;
  } else {
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, kind & 07777);
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
  int error = S_ISLNK(st.st_mode)                    ? ELOOP
              : S_ISDIR(st.st_mode) == S_ISDIR(kind) ? 0
              : S_ISDIR(st.st_mode)                  ? EISDIR
                                                     : ENOTDIR;
  if (!error)
    return fd;
  close(fd);
  errno = error;
  return -1;
}

/* Opens the deepest directory of path that exists and gives what is missing below it. */
static int deepest(const char *path, uint64_t restrictions, char existing[PATH_MAX],
                   const char **missing) {
  size_t length = strlen(path);
  for (;;) {
    while (length > 0 && path[length - 1] != '/')
      length--;
    while (length > 0 && path[length - 1] == '/')
      length--;
    memcpy(existing, path, length);
    existing[length] = 0;
    *missing = path + length;
    int fd = resolve(length ? existing : "/", O_DIRECTORY, restrictions);
    if (fd >= 0 || length == 0 || errno != ENOENT)
      return fd;
  }
}

int resolve_or_make(const char *path, mode_t kind, uint64_t restrictions, int *existed) {
  char current[PATH_MAX], before[PATH_MAX], link[PATH_MAX], again[PATH_MAX];
  char name[NAME_MAX + 1];
  *existed = 1;
  if (copy_path(current, path))
    return -1;
  for (int links = 0; links < LINKS_MAX; links++) {
    int fd = resolve(current, 0, restrictions);
    if (fd >= 0 || errno != ENOENT)
      return fd;
    *existed = 0;
    const char *rest;
    int dir = deepest(current, restrictions, before, &rest);
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
        next = make_in(dir, name, last ? kind : S_IFDIR | 0755);
      if (next < 0 && errno == ELOOP) {
        /* A symlink that leads nowhere yet (an image's /etc/resolv.conf): what it names is made,
         * inside the root. */
        ssize_t n = readlinkat(dir, name, link, sizeof link - 1);
        close(dir);
        if (n < 0 || restrictions & RESOLVE_NO_SYMLINKS_) {
          errno = ELOOP;
          return -1;
        }
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
  return resolve_or_make(n ? directory : "/", S_IFDIR | 0755, 0, &existed);
}

/* Safe: made inside the root by descriptors, with the mode that is asked for (the umask is 0). */
int op_mkdir(const struct op *op) {
  mode_t mode = (mode_t)op->v[MKDIR_MODE].num & 07777;
  int existed;
  int fd CLEANUP_CLOSE = resolve_or_make(op->v[MKDIR_PATH].str, S_IFDIR | mode, 0, &existed);
  if (fd < 0)
    return fail("mkdir", op->v[MKDIR_PATH].str);
  return 0;
}
