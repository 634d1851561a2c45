/* Symbolic links below the root. */
#include "../init.h"

/* Safe: the directory is opened once inside the root. Only a name in the container's own directory
 * is replaced. */
int make_symlink(const char *content, const char *path, enum existing existing) {
  const char *name;
  int dir CLEANUP_CLOSE = resolve_parent(path, &name, NULL);
  if (dir < 0)
    return fail("openat2", path);
  if (!symlinkat(content, dir, name))
    return 0;
  if (errno != EEXIST)
    return fail("symlinkat", path);
  if (existing == EXISTING_STAYS)
    return 0;
  char there[PATH_MAX];
  ssize_t n = readlinkat(dir, name, there, sizeof there);
  if (n == (ssize_t)strlen(content) && memcmp(there, content, (size_t)n) == 0)
    return 0;
  if (existing == EXISTING_FAILS)
    return fail_with(EEXIST, "symlinkat", path);
  if (unlinkat(dir, name, 0) || symlinkat(content, dir, name))
    return fail("symlinkat", path);
  return 0;
}

/* Safe: as make_symlink. A required link replaces an image's /dev/ptmx. */
int op_symlink(const struct op *op) {
  const struct value *v = op->v;
  return make_symlink(v[SYMLINK_CONTENT].str, v[SYMLINK_PATH].str,
                      v[SYMLINK_REQUIRED].on ? EXISTING_REPLACED : EXISTING_STAYS);
}
