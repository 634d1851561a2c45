/* The root at its path in the tree of the host, for hooks. */
#include "../init.h"
#include <sys/mount.h>

/* Makes the mount that holds a directory private: pivot_root(2) demands it of the mount to which
 * the root is moved, and the host must not see that move. */
static int make_holder_private(int directory) {
  int at = sys_duplicate(directory);
  /* EINVAL: the directory is not the root of its mount; try the one above. PATH_MAX bounds the
   * depth. */
  for (unsigned n = 0; at >= 0 && mount_on(at, NULL, NULL, MS_PRIVATE, NULL); n++) {
    int above = errno == EINVAL && n < PATH_MAX / 2;
    int up = above ? openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    close_cleanup(&at);
    at = up;
  }
  if (at < 0)
    return -1;
  close(at);
  return 0;
}

/* Hooks find the container's root file system at the bundle's path, as with runc; their mounts in
 * it move with it into the container. If the container's root user cannot enter that path, the
 * root stays over `/`, for hooks that do not need it. Safe: moves our own mount onto the directory
 * that it was cloned from. On another one the root would cover files that its owner chooses, such
 * as the hooks' programs. */
int op_show_root(const struct op *op) {
  const char *path = op->v[SHOW_ROOT_PATH].str;
  struct identity now;
  int at CLEANUP_CLOSE = sys_open(path, O_PATH | O_DIRECTORY);
  if (at < 0)
    return errno == EACCES ? 0 : fail("open", path);
  if (identify(at, &now))
    return fail("statx", path);
  if (now.device != init.rootfs.device || now.inode != init.rootfs.inode)
    return fail_with(ESTALE, "open", path);
  if (make_holder_private(at))
    return fail("mount", path);
  if (move_tree(init.root, at))
    return fail(move_call(), path);
  init.root_shown = 1;
  return 0;
}
