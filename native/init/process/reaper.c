/* First process of a pid namespace with --init: forwards signals to the user's program, which is
 * its child, and reaps the orphans of the namespace.
 *
 * It forks right before the execve, as the last act of the plan: by then it has the user, the
 * groups, no_new_privs, the bounding set, the filter, the limits, the root and the working
 * directory of the user's program. What the execve would take from it, it gives up after the fork:
 * all descriptors, and all capabilities but CAP_KILL. */
#include "../init.h"
#include <linux/capability.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

enum { SIGNALS_SIZE = 8, FDS_MAX = 4096 };

static uint32_t wanted; /* index + 1 of the operation; 0: no reaper is wanted */

/* Safe: only a name, which a filter may refuse. */
int op_reaper(const struct op *op) {
  wanted = op->index + 1;
  if (getpid() != 1)
    return fail_with(EINVAL, "getpid", "it is not the first process of a pid namespace");
  prctl(PR_SET_NAME, "runt-reaper");
  return 0;
}

static long wait_for_signal(const uint64_t *set, siginfo_t *info, const struct timespec *time) {
  return syscall(SYS_rt_sigtimedwait, set, info, time, SIGNALS_SIZE);
}

static long set_mask(const uint64_t *set, uint64_t *before) {
  return syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, before, SIGNALS_SIZE);
}

/* The capabilities of this process. 0, or -1 with errno. */
static int current_capabilities(struct __user_cap_data_struct data[2]) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return (int)syscall(SYS_capget, &header, data);
}

/* Whether the filter of the user's program lets the reaper work. Asked while a failure can still be
 * reported: later nobody would read it. Each call has no effect. 0, or -1 after fail(). */
static int check_calls(void) {
  static const struct timespec now;
  uint64_t none = 0;
  siginfo_t info;
  struct __user_cap_data_struct data[2];
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (wait_for_signal(&none, &info, &now) < 0 && errno != EAGAIN && errno != EINTR)
    return fail("rt_sigtimedwait", NULL);
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno != ECHILD)
    return fail("waitid", NULL);
  if (kill(1, 0))
    return fail("kill", NULL);
  if (current_capabilities(data) || syscall(SYS_capset, &header, data))
    return fail("capset", NULL);
  /* cppcheck-suppress invalidFunctionArg ; on purpose */
  if (close(-1) && errno != EBADF)
    return fail("close", NULL);
  return 0;
}

/* Safe: closes everything, stdio too: whoever reads the output of the user's program sees the end
 * when that closes it, and no file of the host can be reached through this process
 * (CVE-2016-9962). */
static void close_all(void) {
  if (sys_close_range(0, UINT_MAX, 0))
    for (int fd = 0; fd < FDS_MAX; fd++)
      close(fd);
}

/* Safe: only drops. The program's execve replaces its capabilities; this process executes nothing.
 * CAP_KILL stays if the program has it too: that may become another user, and gets signals still.
 * A process that root runs as has it in its permitted set, any other in its ambient set. */
static void drop_capabilities(void) {
  const uint64_t bit = 1ull << CAP_KILL;
  struct __user_cap_data_struct data[2];
  bool has = geteuid() == 0 ? !current_capabilities(data) && data[0].permitted & bit
                            : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 1;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (set_capabilities(has ? bit : 0, has ? bit : 0, 0))
    _exit(1);
}

/* Reaps all that has ended. Ends with the program's status as a shell has it: the first process
 * of a pid namespace cannot end itself by a signal. The kernel then ends all others. */
static void reap_all(pid_t program) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno == EINTR)
      continue;
    if (!info.si_pid)
      return;
    if (info.si_pid == program)
      _exit(info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
  }
}

/* Safe: signals only its own child, which it has not reaped, so no other process has its pid. */
static _Noreturn void serve(pid_t program, const uint64_t *all) {
  for (;;) {
    siginfo_t info;
    long signal = wait_for_signal(all, &info, NULL);
    if (signal > 0 && signal != SIGCHLD)
      kill(program, (int)signal);
    reap_all(program);
  }
}

/* The program leads its own process group, which has the terminal: so Ctrl-C reaches it once.
 * TTOU, which the kernel sends a background group that takes the terminal, is blocked. */
static int lead_group(void) {
  if (setpgid(0, 0))
    return fail("setpgid", NULL);
  pid_t group = getpid();
  if (ioctl(STDIN_FILENO, TIOCSPGRP, &group) && errno != ENOTTY && errno != EBADF &&
      errno != EINVAL && errno != EPERM)
    return fail("ioctl", "TIOCSPGRP");
  return 0;
}

int fork_reaper(void) {
  static const uint64_t all = UINT64_MAX;
  uint64_t before = 0;
  if (!wanted)
    return 0;
  init.blamed = wanted;
  if (check_calls())
    return -1;
  if (set_mask(&all, &before))
    return fail("rt_sigprocmask", NULL);
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0)
    return fail("clone", NULL);
  if (pid > 0) {
    close_all();
    drop_capabilities();
    /* Safe: the plan, which has paths of the host and the variables of hooks, is no longer in its
     * memory, and the rest is what the program gets. Others look at the first process for the
     * namespaces of the container: `exec` by the same user. */
    forget_all();
    prctl(PR_SET_DUMPABLE, 1);
    serve((pid_t)pid, &all);
  }
  if (lead_group())
    return -1;
  if (set_mask(&before, NULL))
    return fail("rt_sigprocmask", NULL);
  init.blamed = 0;
  return 0;
}
