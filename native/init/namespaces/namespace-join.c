/* Into namespaces that exist: those of a container, or one by its file; and the process that is
 * born in a pid namespace that was joined. */
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

/* Where pidfd_open(2) is refused: the same by the directory of the process in procfs.
 *
 * Safe: the runtime verified the process after it had opened the directory, which is never another
 * process's. All namespaces are opened before one is joined. The user namespace is the last for who
 * has rights outside of it, and comes before what only those inside may join. */
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

/* Safe: the descriptor is a pidfd that the runtime opened and verified by the start time of the
 * process, so that no other process with its number can be meant. All namespaces are taken in one
 * step (Linux 5.8): the kernel checks each with the rights that the process had before, whatever
 * order it takes them in. The process is not dumpable by now (CVE-2016-9962). */
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
  /* setns(2) of a mount namespace makes its root the root: that of the container. */
  close_cleanup(&init.root);
  init.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init.root < 0 ? fail("open", "/") : 0;
}

/* setns(2) refuses the user namespace that a process is in: it could not regain capabilities so. */
static int is_own_user(int fd) {
  struct stat own, other;
  int self CLEANUP_CLOSE = proc_open_namespace("user");
  return self >= 0 && !fstat(self, &own) && !fstat(fd, &other) && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

/* A namespace by its file.
 *
 * Safe: the runtime opened the file with the caller's rights and verified what it is. Whoever is in
 * the namespaces already cannot trace this process or reach its descriptors (CVE-2016-9962): with
 * no new user namespace it is not dumpable by now; with one it is, until its ids are mapped, but no
 * process of a pid namespace that is joined sees it before the fork, which comes after. A mount
 * namespace is joined last, and moves root and directory of this process to its own. */
int op_setns(const struct op *op) {
  const char *path = op->v[SETNS_PATH].str;
  int slot = op->v[SETNS_SLOT].slot, fd = init.slots[slot], flag = (int)op->v[SETNS_FLAG].num;
  if (fd < 0) /* at the first try */
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

/* clone3(2), with the process as a child of this one's parent; its signal at the end is the one of
 * this process, SIGCHLD. cgroup: a directory of v2 to be born in, or -1. *pidfd: its pidfd. */
static long clone_sibling(int cgroup, int *pidfd) {
  struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)pidfd};
  if (cgroup < 0)
    return syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | SIGCHLD, 0, pidfd, 0, 0);
  args.flags |= CLONE_INTO_CGROUP; /* Linux 5.7 */
  args.cgroup = (uint64_t)cgroup;
  return syscall(SYS_clone3, &args, sizeof args);
}

/* Goes on as another process, a child of the runtime (CLONE_PARENT), or of its subreaper once it
 * has ended: engines wait for the process. This one reports its pid and ends.
 *
 * The number that clone(2) returns here is that in the runtime's pid namespace. The child waits
 * until it is told, so that two processes never write to the channel at the same time. 0 in the
 * child; -1 with errno, and nothing has happened. */
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

/* A pid namespace that was joined or unshared is that of the children. */
int op_fork(const struct op *op) {
  (void)op;
  return go_on_as_sibling(-1) ? fail("clone", NULL) : 0;
}

/* To be born in a cgroup costs nothing; to move there waits for every other fork of the host, some
 * milliseconds. The runtime does not clone into it: one that is frozen would hold it up.
 *
 * Safe: the directory was opened by the runtime. With exec no namespace is joined yet; a create has
 * joined only such as leave the rights of the runtime (plan/namespaces/joined-namespaces.ts,
 * mayBeBornLate). The child is the first of a pid namespace that was joined or unshared. */
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
  /* A supervisor expects one that goes on. */
  return go_on_as_sibling(-1) ? fail("clone", NULL) : 0;
}
