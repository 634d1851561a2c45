/* The seccomp filter, loaded with seccomp(2) from a finished program.
 *
 * Once the filter is loaded, this process runs under it, but its profile was written for the
 * user's program. So this process then does as little as possible: loaded `late`, nothing but
 * the execve. A later failure is written to a page that the runtime got before: no filter can
 * forbid a store to memory. With an agent the filter is loaded before the wait, so that a missing
 * agent fails the create. Without no_new_privs the filter must be loaded while there is
 * CAP_SYS_ADMIN, before the user changes. The profile must then allow everything between that and
 * the execve, as with other runtimes. */
#include "../../core/time-limits.h"
#include "../init.h"
#include "reports.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { HELPER_STACK = 64 << 10 };

static struct {
  struct sock_fprog program; /* no instructions: none, or loaded already */
  uint32_t index;
  unsigned flags;
  const char *agent, *metadata; /* agent: NULL for none */
  int loaded;
} filter;

int filter_loaded(void) { return filter.loaded; }

int filter_pending(void) { return filter.program.len != 0; }

/* State shared by this process and its helper, which has the same memory and descriptors. */
static struct {
  _Atomic int listener; /* 0: the filter is being loaded; the descriptor; -1: it was not loaded */
  _Atomic int done;     /* 1: the agent has the listener; -1: it does not */
  int wake[2];          /* a pipe: a byte when done is set */
} handover;

/* The helper. The filter does not cover it, as it was created before and is not a thread of this
 * process. It passes the listener on, even if a profile denies write or sendmsg or notifies on
 * them. It waits until the runtime confirms that the agent has the listener, and ends. */
static int pass_listener(void *arg) {
  (void)arg;
  const struct timespec pause = {0, FILTER_POLL_PAUSE_NS};
  while (!handover.listener)
    syscall(SYS_nanosleep, &pause, NULL);
  int ok = 0;
  if (handover.listener > 0) {
    size_t room = strlen(filter.agent) + strlen(filter.metadata) + 16;
    char *frame = allocate(room);
    if (frame) {
      struct text t = text_in(frame, room);
      put_listener(&t, filter.agent, filter.metadata);
      ok = send_with(frame, t.length, handover.listener) == 0 && await_go() == 0;
    }
  }
  handover.done = ok ? 1 : -1;
  ssize_t ignored = write(handover.wake[1], "d", 1);
  (void)ignored;
  return 0;
}

/* Waits for the helper. If the filter denies read, this polls, for as long as it takes to send the
 * agent a message. A read that notifies waits for the agent, which then has what it needs to
 * answer. */
static void await_handover(void) {
  char done;
  while (!handover.done)
    if (read(handover.wake[0], &done, 1) != 1)
      __asm__ volatile("" ::: "memory");
}

static long load(void) {
  long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, &filter.program);
  /* With TSYNC, but for ESRCH, a failure is the id of a thread; there is one thread. */
  if (r < 0)
    return fail("seccomp", NULL);
  filter.program.len = 0;
  filter.loaded = 1;
  return r;
}

static int load_with_agent(void) {
  char *stack = allocate(HELPER_STACK);
  if (!stack || pipe2(handover.wake, O_CLOEXEC))
    return fail("pipe2", NULL);
  /* SA_NOCLDWAIT: the helper leaves no zombie to the user's program. The exec resets it. */
  struct sigaction quiet = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}, before;
  if (sigaction(SIGCHLD, &quiet, &before))
    return fail("sigaction", NULL);
  int pid = clone(pass_listener, stack + HELPER_STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  if (pid < 0)
    return fail("clone", "the helper that hands the listener over");
  long listener = load();
  handover.listener = listener < 0 ? -1 : (int)listener;
  await_handover();
  waitpid(pid, NULL, 0); /* ECHILD, once it has ended */
  sigaction(SIGCHLD, &before, NULL);
  close(handover.wake[0]);
  close(handover.wake[1]);
  if (listener >= 0)
    close((int)listener);
  if (listener < 0)
    return -1;
  return handover.done > 0 ? 0 : fail_with(ECONNRESET, "sendmsg", "the listener");
}

int apply_late_filter(void) {
  share_last_report_page();
  report_exec();
  if (load() >= 0)
    return 0;
  init.blamed = filter.index + 1;
  return -1;
}

int apply_filter_to_hook(void) {
  const unsigned alone = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  if (!filter.program.len)
    return 0;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags & alone, &filter.program);
}

/* Safe: the program is from the runtime, in a file that only the runtime can write, and the kernel
 * verifies it. It can only take rights away. */
int op_seccomp(const struct op *op) {
  const struct value *v = op->v;
  struct stat st;
  int fd CLEANUP_CLOSE = take_slot(v[SECCOMP_SLOT].slot);
  if (fd < 0)
    return fail_with(EBADF, "read", "the program");
  if (fstat(fd, &st))
    return fail("fstat", "the program");
  /* The file ends with a digest, which the runtime has verified. */
  size_t size = st.st_size > DIGEST_SIZE ? (size_t)st.st_size - DIGEST_SIZE : 0;
  if (size == 0 || size % sizeof(struct sock_filter) ||
      size / sizeof(struct sock_filter) > BPF_MAXINSNS)
    return fail_with(EBADMSG, "read", "the program");
  filter.program.filter = allocate(size);
  if (!filter.program.filter)
    return fail("mmap", NULL);
  ssize_t n = pread(fd, filter.program.filter, size, 0);
  if (n != (ssize_t)size)
    return n < 0 ? fail("read", "the program") : fail_with(EBADMSG, "read", "the program");
  filter.program.len = (unsigned short)(size / sizeof(struct sock_filter));
  filter.index = op->index;
  filter.flags = (unsigned)v[SECCOMP_FLAGS].num;
  filter.agent = v[SECCOMP_AGENT].present ? v[SECCOMP_AGENT].str : NULL;
  filter.metadata = v[SECCOMP_METADATA].str;
  if (v[SECCOMP_LATE].on)
    return 0;
  /* Steps of op_exec that the filter may forbid. Descriptors that are opened from now on are
   * close-on-exec anyway, and reports are sent without a signal. */
  if (sys_close_range(3 + init.keep, UINT_MAX, CLOSE_RANGE_CLOEXEC) && errno != EINVAL &&
      errno != ENOSYS && errno != EPERM)
    return fail("close_range", NULL);
  signal(SIGPIPE, SIG_DFL);
  share_last_report_page();
  return (filter.agent ? load_with_agent() : load()) < 0 ? -1 : 0;
}
