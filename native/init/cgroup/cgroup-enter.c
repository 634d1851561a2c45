/* Cgroups that this process enters by itself. */
#include "../init.h"

/* Safe: the runtime opened the file, with its own rights (the kernel checks those of the opener),
 * before anything of the container existed. "0" is the writing thread: it cannot be another
 * process. */
int op_cgroup_enter(const struct op *op) {
  const char *path = op->v[CGROUP_ENTER_PATH].str;
  int file CLEANUP_CLOSE = take_slot(op->v[CGROUP_ENTER_SLOT].slot);
  if (file < 0)
    return fail_with(EBADF, "write", path);
  return write(file, "0", 1) == 1 ? 0 : fail("write", path);
}
