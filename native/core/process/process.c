/* Processes: own ids, clocks, pidfds, signals. */
#include "../clock.h"
#include "../core.h"
#include "../time-limits.h"
#include "pidfd.h"
#include "reap.h"
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

int32_t runt_pid(void) { return getpid(); }

int32_t runt_ids(uint8_t *data, uint32_t data_cap) {
  if (data_cap < 4 * 8)
    return -EOVERFLOW;
  put_i64(data, 0, getuid());
  put_i64(data, 1, geteuid());
  put_i64(data, 2, getgid());
  put_i64(data, 3, getegid());
  return 0;
}

int64_t runt_monotonic(void) { return clock_ns(CLOCK_MONOTONIC); }

int64_t runt_realtime(void) { return clock_ns(CLOCK_REALTIME); }

int32_t runt_pidfdOpen(int32_t pid) {
  int32_t fd = result(syscall(SYS_pidfd_open, pid, 0));
  /* The kernel itself refuses a pid below 1 with EINVAL: any other error is a filter's. */
  if (fd == -EPERM && syscall(SYS_pidfd_open, -1, 0) < 0 && errno == EPERM)
    return -ENOSYS;
  /* Older kernels return EINVAL for a number that only a session or process group has, after its
   * leader was reaped; and for a thread's. */
  return fd == -EINVAL && pid > 0 ? -ESRCH : fd;
}

int32_t runt_pidfdSignal(int32_t pidfd, int32_t signal) {
  int32_t r = result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
  /* EPERM is the kernel's answer about this process, unless an invalid descriptor, for which the
   * kernel returns EBADF, gets it too: then a filter refuses the call. */
  if (r == -EPERM && syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0) < 0 && errno == EPERM)
    return -ENOSYS;
  return r;
}

int32_t runt_killProcess(int32_t pid, int32_t signal) {
  if (pid <= 0)
    return -EINVAL; /* to kill(2) 0 is the caller's own group, -1 all processes */
  return result(kill(pid, signal));
}

int32_t runt_signalGroup(int32_t pid, int32_t signal) {
  if (pid <= 1)
    return -EINVAL; /* to kill(2) 0 is the caller's own group, -1 all processes */
  return result(kill(-pid, signal));
}

/* Reaps a child. A process that traces it (a debugger) reaps it first: until then the kernel hides
 * from the parent that it has ended, but not from the readers of its pidfd. 1, 0 while it runs, or
 * -errno. */
static int reap_traced(int pidfd, siginfo_t *info) {
  for (int tries = 0;; tries++) {
    memset(info, 0, sizeof *info);
    if (RETRY(waitid(P_PIDFD, (id_t)pidfd, info, WEXITED | WNOHANG)) < 0)
      return -errno;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (info->si_pid != 0 || tries == TRACER_TRIES || poll(&ended, 1, 0) < 1)
      return info->si_pid != 0;
    nanosleep(&(struct timespec){.tv_nsec = TRACER_PAUSE_NS}, NULL);
  }
}

int32_t runt_waitPidfd(int32_t pidfd, uint8_t *data, uint32_t data_cap) {
  siginfo_t info;
  if (data_cap < 2 * 8)
    return -EOVERFLOW;
  int r = reap_traced(pidfd, &info);
  if (r <= 0)
    return r;
  put_i64(data, 0, info.si_code);
  put_i64(data, 1, info.si_status);
  return 1;
}

int32_t runt_reapChild(int32_t pid) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (pid <= 0)
    return -EINVAL;
  if (RETRY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG)) < 0)
    return -errno;
  return info.si_pid != 0;
}

int32_t runt_exitOfPidfd(int32_t pidfd) {
  int status = 0, r = pidfd_exit(pidfd, &status);
  return r == 1 ? status & 0xffff : r == 0 ? -EAGAIN : r;
}

int32_t runt_reapOrphans(int32_t child) {
  reap_orphans(child);
  return 0;
}

int32_t runt_setSubreaper(int32_t on) {
  return result(prctl(PR_SET_CHILD_SUBREAPER, on != 0, 0, 0, 0));
}

int32_t runt_schedCoreCreate(void) {
  return result(prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0 /* PIDTYPE_PID */, 0));
}

/* Uses the kernel's calls: sigaddset(3) refuses the signals that the C library uses itself, with
 * musl also 34, which is SIGRTMIN with glibc. */
int32_t runt_signalFd(int64_t mask) {
  int fd = (int)syscall(SYS_signalfd4, -1, &mask, MASK_SIZE, O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, MASK_SIZE) < 0) {
    close_fd(&fd);
    return -errno;
  }
  return fd;
}

int32_t runt_isTerminal(int32_t fd) {
  if (isatty(fd))
    return 1;
  return errno == EBADF ? -EBADF : 0;
}

int32_t runt_prlimit(int32_t pid, int32_t resource, int64_t soft, int64_t hard) {
  /* The kernel's struct: RLIM_INFINITY is 2^64-1, which is -1 here. */
  const uint64_t limit[2] = {(uint64_t)soft, (uint64_t)hard};
  return result(syscall(SYS_prlimit64, pid, resource, limit, NULL));
}

int32_t runt_schedSetAttr(int32_t pid, int32_t policy, int32_t flags, int32_t nice,
                          int32_t priority, int64_t runtime, int64_t deadline, int64_t period) {
  /* struct sched_attr as of Linux 5.3 (SCHED_ATTR_SIZE_VER1), which clamps of utilisation need;
   * linux/sched/types.h cannot be included beside sched.h. */
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
  } a = {.size = sizeof a,
         .policy = (uint32_t)policy,
         .flags = (uint32_t)flags,
         .nice = nice,
         .priority = (uint32_t)priority,
         .runtime = (uint64_t)runtime,
         .deadline = (uint64_t)deadline,
         .period = (uint64_t)period};
  return result(syscall(SYS_sched_setattr, pid, &a, 0));
}

int32_t runt_ioprioSet(int32_t pid, int32_t priority) {
  return result(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, priority));
}
