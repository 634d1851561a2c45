/* Cgroups that this process enters by itself. */
#include "../init.h"

/* Safe: the runtime opened the file, with its own rights (the kernel checks those of the opener),
 * before anything of the container existed. Without a slot this process does so: it is in no user
 * namespace of the container, nothing is mounted yet, and its root is the runtime's. "0" is the
 * writing thread: it cannot be another process. */
int op_cgroup_enter(const struct op *op) {
  const char *path = op->v[CGROUP_ENTER_PATH].str;
  const struct value *slot = &op->v[CGROUP_ENTER_SLOT];
  int file CLEANUP_CLOSE = slot->present ? take_slot(slot->slot) : sys_open(path, O_WRONLY);
  if (file < 0)
    return slot->present ? fail_with(EBADF, "write", path) : fail("open", path);
  return write(file, "0", 1) == 1 ? 0 : fail("write", path);
}
