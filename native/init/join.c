/* Into a container that exists: its namespaces, and the process that is born in its pid namespace.
 */
#include "init.h"
#include <sched.h>
#include <signal.h>

/* Safe: the descriptor is a pidfd that the runtime opened and verified by the start time of the
 * process, so that no other process with its number can be meant. All namespaces are taken in one
 * step (Linux 5.8): the kernel checks each with the rights that the process had before, whatever
 * order it takes them in. The process is not dumpable by now (CVE-2016-9962). */
int op_join(const struct op *op) {
  int64_t slot = (int64_t)op->v[JOIN_SLOT].num;
  if (slot < 0 || slot >= (int64_t)init.slot_count || init.slots[slot] < 0)
    return fail_with(EBADF, "setns", NULL);
  if (op->v[JOIN_FLAGS].num && syscall(SYS_setns, init.slots[slot], (int)op->v[JOIN_FLAGS].num))
    return fail("setns", NULL);
  close(init.slots[slot]);
  init.slots[slot] = -1;
  /* setns(2) of a mount namespace makes its root the root: that of the container. */
  close_cleanup(&init.root);
  init.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init.root < 0 ? fail("open", "/") : 0;
}

/* A joined pid namespace is that of the children. The child is made a child of the runtime
 * (CLONE_PARENT), or of its subreaper once it has ended: engines wait for the process.
 *
 * The number that clone(2) returns here is that in the runtime's pid namespace. The child waits
 * until it is told, so that two processes never write to the channel at the same time. */
int op_fork(const struct op *op) {
  (void)op;
  int told[2];
  if (syscall(SYS_pipe2, told, O_CLOEXEC))
    return fail("pipe2", NULL);
  /* With CLONE_PARENT the signal at the end is that of this process: SIGCHLD. */
  long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0)
    return fail("clone", NULL);
  if (pid > 0) {
    report_pid((uint64_t)pid);
    _exit(0);
  }
  close(told[1]);
  char nothing;
  read_fully(told[0], &nothing, 1);
  close(told[0]);
  return 0;
}
