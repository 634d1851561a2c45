/* Symbolic links below the root. */
#include "../init.h"

/* Safe: the directory is opened once inside the root. What stands in the place of a required link
 * (an image's /dev/ptmx) is replaced: it is a name in the container's own directory. */
int op_symlink(const struct op *op) {
  const char *content = op->v[SYMLINK_CONTENT].str, *path = op->v[SYMLINK_PATH].str, *name;
  int dir CLEANUP_CLOSE = resolve_parent(path, &name, NULL);
  if (dir < 0)
    return fail("openat2", path);
  if (!symlinkat(content, dir, name))
    return 0;
  if (errno != EEXIST)
    return fail("symlinkat", path);
  if (!op->v[SYMLINK_REQUIRED].on)
    return 0;
  char there[PATH_MAX];
  ssize_t n = readlinkat(dir, name, there, sizeof there);
  if (n == (ssize_t)strlen(content) && memcmp(there, content, (size_t)n) == 0)
    return 0;
  if (unlinkat(dir, name, 0) || symlinkat(content, dir, name))
    return fail("symlinkat", path);
  return 0;
}
