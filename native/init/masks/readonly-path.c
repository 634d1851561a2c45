/* readonlyPaths. */
#include "../init.h"

/* Safe: resolved as for a mask, the path is bound on itself by descriptors. The clone and the
 * mounts below it become read-only before it is attached, and keep their other attributes. */
int op_readonly_path(const struct op *op) {
  const char *path = op->v[READONLY_PATH_PATH].str;
  char found[PATH_MAX];
  int target CLEANUP_CLOSE = resolve(path, 0, 0, found);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
    return 0;
  if (target < 0)
    return fail("openat2", path);
  int tree CLEANUP_CLOSE = clone_mount(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0)
    return fail(clone_call(), path);
  /* Before 5.12 only an attached mount can be changed, one at a time. */
  int late = set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 1);
  if (late && errno != ENOSYS)
    return fail("mount_setattr", path);
  int copy CLEANUP_CLOSE = late ? sys_duplicate(tree) : -1;
  if ((late && copy < 0) || put_mount(&tree, target, path, found, REPEATS))
    return fail(move_call(), path);
  return late ? set_all_readonly(copy, path) : 0;
}
