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

/* clone3(2), with the process as a child of this one's parent; its signal at the end is the one of
 * this process, SIGCHLD. cgroup: a directory of v2 to be born in, or -1. */
static long clone_sibling(int cgroup) {
  enum { SYS_clone3_ = 435 };
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
  } args = {.flags = CLONE_PARENT};
  if (cgroup < 0)
    return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  args.flags |= 0x200000000ull; /* CLONE_INTO_CGROUP, Linux 5.7 */
  args.cgroup = (uint64_t)cgroup;
  return syscall(SYS_clone3_, &args, sizeof args);
}

/* Goes on as another process, a child of the runtime (CLONE_PARENT), or of its subreaper once it
 * has ended: engines wait for the process. This one reports its pid and ends.
 *
 * The number that clone(2) returns here is that in the runtime's pid namespace. The child waits
 * until it is told, so that two processes never write to the channel at the same time. 0 in the
 * child; -1 with errno, and nothing has happened. */
static int go_on_as_sibling(int cgroup) {
  int told[2];
  if (syscall(SYS_pipe2, told, O_CLOEXEC))
    return -1;
  long pid = clone_sibling(cgroup);
  if (pid < 0) {
    int error = errno;
    close(told[0]);
    close(told[1]);
    errno = error;
    return -1;
  }
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

/* A joined pid namespace is that of the children. */
int op_fork(const struct op *op) {
  (void)op;
  return go_on_as_sibling(-1) ? fail("clone", NULL) : 0;
}

/* To be born in a cgroup costs nothing; to move there waits for every other fork of the host, some
 * milliseconds. The runtime does not clone into it: one that is frozen would hold it up.
 *
 * Safe: the directory was opened by the runtime, and no namespace is joined yet. */
int op_cgroup_fork(const struct op *op) {
  const char *path = op->v[CGROUP_FORK_PATH].str;
  int64_t slot = (int64_t)op->v[CGROUP_FORK_SLOT].num;
  if (slot < 0 || slot >= (int64_t)init.slot_count || init.slots[slot] < 0)
    return fail_with(EBADF, "clone3", path);
  int directory CLEANUP_CLOSE = init.slots[slot];
  init.slots[slot] = -1;
  if (go_on_as_sibling(directory) == 0)
    return 0;
  int procs CLEANUP_CLOSE = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  if (procs < 0)
    return fail("open", path);
  return write(procs, "0", 1) == 1 ? 0 : fail("write", path);
}
