/* Paths in the root directory.
 *
 * Symlinks of earlier layers, and of this one, may lead anywhere. openat2(2) resolves them as
 * chroot(2) would. This process has been through chroot(2) too, and no procfs is below the root, so
 * that a kernel or seccomp filter without openat2 makes nothing reachable that is not. */
#include "layer.h"
#include <dirent.h>

enum { DEPTH_MAX = 255 };

void clean_name(const char *name, char out[PATH_MAX]) {
  size_t length = 0;
  int depth = 0;
  for (const char *p = name; *p;) {
    size_t n = strcspn(p, "/");
    bool is_here = n == 0 || (n == 1 && p[0] == '.');
    if (n == 2 && p[0] == '.' && p[1] == '.')
      fail(LAYER_ERROR_PATH, 0, name, NULL);
    if (!is_here) {
      if (n > NAME_MAX || length + n + 2 > PATH_MAX)
        fail(LAYER_ERROR_CALL, ENAMETOOLONG, name, "open");
      if (++depth > DEPTH_MAX)
        fail(LAYER_ERROR_DEPTH, 0, name, NULL);
      if (length > 0)
        out[length++] = '/';
      memcpy(out + length, p, n);
      length += n;
    }
    p += n + (p[n] == '/');
  }
  out[length] = 0;
}

int open_in_root(const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  const char *there = *path ? path : ".";
  int fd = (int)RETRY(syscall(SYS_openat2, ROOT_FD, there, &how, sizeof how));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return fd;
  return RETRY(openat(ROOT_FD, there, flags | O_CLOEXEC));
}

/* Opens a directory, and makes what is missing of its path. -1 with errno. */
static int make_directories(const char *path) {
  char part[PATH_MAX];
  int at = open_in_root("", O_PATH | O_DIRECTORY);
  for (const char *p = path; at >= 0; p++) {
    size_t before = (size_t)(p - path), n = strcspn(p, "/");
    p += n;
    memcpy(part, path, before + n);
    part[before + n] = 0;
    int next = open_in_root(part, O_PATH | O_DIRECTORY);
    if (next < 0 && errno == ENOENT) {
      const char *name = part + before;
      /* EEXIST: a symlink that leads to nothing. */
      if (mkdirat(at, name, 0755) == 0) {
        written_add(at, name);
        next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      }
    }
    close_fd(&at);
    at = next;
    if (!*p)
      break;
  }
  return at;
}

int open_parent(const char *path, const char **name, bool make) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  memcpy(directory, path, n);
  directory[n] = 0;
  *name = slash ? slash + 1 : path;
  int fd = open_in_root(directory, O_PATH | O_DIRECTORY);
  return fd < 0 && errno == ENOENT && make ? make_directories(directory) : fd;
}

void remove_name(int parent, const char *name, const char *path) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    return;
  if (errno != EISDIR)
    fail_call("unlinkat", path);
  int r = runt_removeTree(parent, name);
  if (r < 0) {
    errno = -r;
    fail_call("unlinkat", path);
  }
}

void each_name(int dir, const char *path, void (*act)(int, const char *, const char *)) {
  DIR *list = dir < 0 ? NULL : fdopendir(dir);
  if (!list)
    fail_call("fdopendir", path);
  for (;;) {
    errno = 0;
    /* cppcheck-suppress readdirCalled ; no other thread has this stream (readdir(3)) */
    const struct dirent *e = readdir(list);
    if (!e)
      break;
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      act(dirfd(list), e->d_name, path);
  }
  if (errno)
    fail_call("getdents64", path);
  closedir(list);
}

void empty_root(void) { each_name(open_in_root("", O_RDONLY | O_DIRECTORY), "", remove_name); }
