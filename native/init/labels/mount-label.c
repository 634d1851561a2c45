/* SELinux label of a mount that has no option for it. */
#include "../init.h"
#include <sys/xattr.h>

/* Safe: a directory that the resolver found inside the root, opened by its descriptor. */
int op_label_mount(const struct op *op) {
  const char *path = op->v[LABEL_MOUNT_TARGET].str, *label = op->v[LABEL_MOUNT_LABEL].str;
  int target CLEANUP_CLOSE = resolve(path, O_DIRECTORY, 0, NULL);
  int fd CLEANUP_CLOSE = target < 0 ? -1 : openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fail("openat2", path);
  return fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) ? fail("fsetxattr", path)
                                                                        : 0;
}
