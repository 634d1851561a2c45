/* Changes of existing mounts: reconfigure, propagate. */
#include "../init.h"

/* Safe: acts on the file system of the mount that the resolver found inside the root. The kernel
 * allows this only to root of the user namespace that owns the file system. */
int op_reconfigure(const struct op *op) {
  const char *path = op->v[RECONFIGURE_TARGET].str, *option = op->v[RECONFIGURE_OPTIONS].str;
  int fd CLEANUP_CLOSE = resolve(path, 0, 0, NULL);
  if (fd < 0)
    return fail("openat2", path);
  int fs CLEANUP_CLOSE = sys_fspick(fd);
  if (fs < 0)
    return fail("fspick", path);
  for (uint64_t i = 0; i < op->v[RECONFIGURE_OPTIONS].num; i++, option = next_string(option))
    if (set_option(fs, option))
      return fail_context(fs, "fsconfig", option);
  return sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL) ? fail_context(fs, "fsconfig", path)
                                                                : 0;
}

/* Safe: as above, and changes only the mount. */
int op_propagate(const struct op *op) {
  const char *path = op->v[PROPAGATE_TARGET].str;
  int fd CLEANUP_CLOSE = resolve(path, 0, 0, NULL);
  if (fd < 0)
    return fail("openat2", path);
  return set_propagation(fd, &op->v[PROPAGATE_PROPAGATION]) ? fail("mount_setattr", path) : 0;
}
