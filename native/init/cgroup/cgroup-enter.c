/* Cgroups that this process enters by itself. */
#include "../init.h"

/* Safe: the file was opened by the runtime, with the runtime's rights (the kernel checks those of
 * the opener), before anything of the container existed. "0" is the writing thread: no other
 * process can be meant. */
int op_cgroup_enter(const struct op *op) {
  int64_t slot = (int64_t)op->v[CGROUP_ENTER_SLOT].num;
  if (slot < 0 || slot >= (int64_t)init.slot_count || init.slots[slot] < 0)
    return fail_with(EBADF, "write", op->v[CGROUP_ENTER_PATH].str);
  ssize_t n = write(init.slots[slot], "0", 1);
  if (n != 1)
    return fail("write", op->v[CGROUP_ENTER_PATH].str);
  close(init.slots[slot]);
  init.slots[slot] = -1;
  return 0;
}
