/* Joining of existing namespaces, of a container or by a file, and the fork into a joined pid
 * namespace. */
#include "../init.h"
#include <sched.h>
#include <signal.h>

static const struct {
  const char *name;
  int flag;
} NAMES[] = {{"ns/ipc", CLONE_NEWIPC},       {"ns/uts", CLONE_NEWUTS},   {"ns/net", CLONE_NEWNET},
             {"ns/cgroup", CLONE_NEWCGROUP}, {"ns/time", CLONE_NEWTIME}, {"ns/pid", CLONE_NEWPID},
             {"ns/mnt", CLONE_NEWNS},        {"ns/user", CLONE_NEWUSER}};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };

/* Without pidfd_open(2): joins through the directory of the process in procfs.
 *
 * Safe: the runtime opened the directory, which never becomes another process's, and then
 * verified the process. All namespaces are opened before one is joined. The user namespace is
 * the last if this process has rights outside it, and comes before those that only processes
 * inside may join. */
static int join_each(int process, int flags) {
  int fds[NAME_COUNT], joined = 0, failed = 0;
  for (int i = 0; i < NAME_COUNT; i++) {
    fds[i] = flags & NAMES[i].flag && !failed ? openat(process, NAMES[i].name, O_RDONLY | O_CLOEXEC)
                                              : -1;
    failed |= fds[i] < 0 && flags & NAMES[i].flag;
  }
  for (int pass = 0; pass < 2 && !failed; pass++)
    for (int i = 0; i < NAME_COUNT && !failed; i++) {
      if (fds[i] < 0 || joined & NAMES[i].flag)
        continue;
      if (!syscall(SYS_setns, fds[i], NAMES[i].flag))
        joined |= NAMES[i].flag;
      else
        failed =
            errno != EPERM || pass || !(flags & CLONE_NEWUSER) || NAMES[i].flag == CLONE_NEWUSER;
    }
  for (int i = 0; i < NAME_COUNT; i++)
    close_cleanup(&fds[i]);
  return failed ? -1 : 0;
}

/* Safe: the descriptor is a pidfd. The runtime opened it and verified the start time of the
 * process, so it cannot be a later one with the same pid. All namespaces are joined in one step
 * (Linux 5.8): the kernel checks each with the rights that the process had before, in any order.
 * The process is not dumpable by now (CVE-2016-9962). */
int op_join(const struct op *op) {
  int process CLEANUP_CLOSE = take_slot(op->v[JOIN_SLOT].slot);
  if (process < 0)
    return fail_with(EBADF, "setns", NULL);
  uint64_t before = trace_now();
  int flags = (int)op->v[JOIN_FLAGS].num;
  if (flags && syscall(SYS_setns, process, flags) &&
      (errno != EBADF || !is_procfs(process) || join_each(process, flags)))
    return fail("setns", NULL);
  if (op->v[JOIN_FLAGS].num & CLONE_NEWTIME)
    trace_rebase(before);
  /* setns(2) of a mount namespace sets the root to the namespace's: the container's. */
  close_cleanup(&init.root);
  init.root = sys_open("/", O_PATH | O_DIRECTORY);
  return init.root < 0 ? fail("open", "/") : 0;
}

/* setns(2) refuses the process's own user namespace, as that could regain capabilities. */
static int is_own_user(int fd) {
  struct stat own, other;
  int self CLEANUP_CLOSE = proc_open_namespace("user");
  return self >= 0 && !fstat(self, &own) && !fstat(fd, &other) && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

/* Joins a namespace by its file.
 *
 * Safe: the runtime opened the file with the caller's rights and verified its type. Processes
 * already in the namespaces cannot trace this process or reach its descriptors
 * (CVE-2016-9962). Without a new user namespace it is not dumpable by now. With one it is,
 * until its ids are mapped; but no process of a joined pid namespace sees it before the fork,
 * which is later. A mount namespace is joined last, and sets root and working directory of
 * this process to its own. */
int op_setns(const struct op *op) {
  const char *path = op->v[SETNS_PATH].str;
  int slot = op->v[SETNS_SLOT].slot, fd = init.slots[slot], flag = (int)op->v[SETNS_FLAG].num;
  if (fd < 0) /* joined at the first try */
    return 0;
  uint64_t before = trace_now();
  if (!(flag == CLONE_NEWUSER && is_own_user(fd)) && syscall(SYS_setns, fd, flag)) {
    if (errno == EPERM && op->v[SETNS_OPTIONAL].on)
      return 0;
    return fail("setns", path);
  }
  if (flag == CLONE_NEWTIME)
    trace_rebase(before);
  if (flag == CLONE_NEWNS)
    init.joined_mounts = 1;
  close(fd);
  init.slots[slot] = -1;
  return 0;
}

/* clone3(2) of a child of this process's parent; its exit signal is this process's, SIGCHLD.
 * cgroup: the v2 directory in which it starts, or -1. *pidfd: its pidfd. */
static long clone_sibling(int cgroup, int *pidfd) {
  struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)pidfd};
  if (cgroup < 0)
    return syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | SIGCHLD, 0, pidfd, 0, 0);
  args.flags |= CLONE_INTO_CGROUP; /* Linux 5.7 */
  args.cgroup = (uint64_t)cgroup;
  return syscall(SYS_clone3, &args, sizeof args);
}

/* Continues as another process, a child of the runtime (CLONE_PARENT), or of its subreaper
 * after the runtime has ended: engines wait for that process. This one reports its pid and
 * ends.
 *
 * clone(2) returns here the pid in the runtime's pid namespace. The child waits for a byte
 * from this process, so that two processes never write to the channel at once. Returns 0 in
 * the child; -1 with errno when nothing has happened. */
static int go_on_as_sibling(int cgroup) {
  int told[2], pidfd = -1;
  if (syscall(SYS_pipe2, told, O_CLOEXEC))
    return -1;
  long pid = clone_sibling(cgroup, &pidfd);
  if (pid < 0) {
    int error = errno;
    close(told[0]);
    close(told[1]);
    errno = error;
    return -1;
  }
  if (pid > 0) {
    report_pid((uint64_t)pid, pidfd);
    _exit(0);
  }
  close(told[1]);
  char nothing;
  read_fully(told[0], &nothing, 1);
  close(told[0]);
  return 0;
}

/* After a pid namespace was joined or unshared, only children are in it. */
int op_fork(const struct op *op) {
  (void)op;
  return go_on_as_sibling(-1) ? fail("clone", NULL) : 0;
}

/* A start in a cgroup costs nothing; a move waits for every other fork of the host, some
 * milliseconds. The runtime does not clone into the cgroup itself: a frozen one would block
 * it.
 *
 * Safe: the runtime opened the directory. In an exec no namespace is joined yet; a create has
 * joined only those that leave the runtime's rights (plan/namespaces/joined-namespaces.ts,
 * canCloneIntoCgroup). The child is the first process of a joined or unshared pid namespace. */
int op_cgroup_fork(const struct op *op) {
  const char *path = op->v[CGROUP_FORK_PATH].str;
  int directory CLEANUP_CLOSE = take_slot(op->v[CGROUP_FORK_SLOT].slot);
  if (directory < 0)
    return fail_with(EBADF, "clone3", path);
  if (go_on_as_sibling(directory) == 0)
    return 0;
  int procs CLEANUP_CLOSE = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  if (procs < 0)
    return fail("open", path);
  if (write(procs, "0", 1) != 1)
    return fail("write", path);
  /* A supervisor expects that another process takes over. */
  return go_on_as_sibling(-1) ? fail("clone", NULL) : 0;
}
