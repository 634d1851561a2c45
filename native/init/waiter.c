/* Waiter mode of this program: what a foreground command of the runtime becomes while its process
 * runs, because it needs a tenth of the memory.
 *
 * The runtime executed it, so it is still the parent of the process, under the same pid, with the
 * signals to forward blocked. It forwards them, and at the end executes the runtime again, which
 * removes the container. It does so too when a time limit has passed: the runtime then ends the
 * process. docs/internals.md, "The waiter". */
#include "../core/clock.h"
#include "../core/process/reap.h"
#include "../core/time-limits.h"
#include "init.h"
#include "text.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static struct {
  int pid, process; /* of the child; process is a pidfd */
  int signals;      /* signalfd of the signals to forward */
  int orphans;      /* signalfd of SIGCHLD */
  int program;      /* the runtime; -1: it is not executed */
  int failed;       /* the exit status if it cannot wait */
  int at_end;       /* 1: it is executed when the child has ended */
  uint64_t limit;   /* ns on CLOCK_MONOTONIC at which the child is to end; 0 for none */
  struct command command;
} waiter;

/* WAIT_MAGIC, the descriptors, the limit, the command if there is a program. */
static int parse(char *data, size_t length) {
  errno = EBADMSG;
  if (!data)
    return -1;
  struct cursor c = {data + sizeof WAIT_MAGIC, data + length};
  if (next_descriptor(&c, &waiter.pid) || next_descriptor(&c, &waiter.process) ||
      next_descriptor(&c, &waiter.signals) || next_number(&c, &waiter.limit) ||
      next_descriptor(&c, &waiter.at_end) || next_descriptor(&c, &waiter.program))
    return -1;
  return waiter.program < 0 ? 0 : next_command(&c, &waiter.command);
}

/* Whether a signal is the third Ctrl-C, which the kernel sends, within two seconds. */
static int is_third_interrupt(const struct signalfd_siginfo *info) {
  static int64_t earlier[2];
  if (info->ssi_signo != SIGINT || info->ssi_code != SI_KERNEL)
    return 0;
  int64_t now = clock_ns(CLOCK_MONOTONIC), first = earlier[0];
  earlier[0] = earlier[1];
  earlier[1] = now;
  return first && now - first <= INTERRUPTS_TIME * 1000000ll;
}

/* Safe: the pidfd is of the child, so no other process gets the signal. An error means that the
 * child has ended, which its pidfd shows too. */
static void forward_signal(void) {
  struct signalfd_siginfo info;
  if (read(waiter.signals, &info, sizeof info) != sizeof info)
    return;
  int kills = is_third_interrupt(&info);
  if (kills)
    (void)!write(STDERR_FILENO, INTERRUPTED_TEXT, sizeof INTERRUPTED_TEXT - 1);
  syscall(SYS_pidfd_send_signal, waiter.process, kills ? SIGKILL : info.ssi_signo, NULL, 0);
}

/* As a subreaper this process gets the orphans of a container that shares its pid namespace. */
static int open_orphans(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, NULL))
    return -1;
  return waiter.orphans = signalfd(-1, &set, SFD_CLOEXEC);
}

static void reap(void) {
  struct signalfd_siginfo info;
  if (read(waiter.orphans, &info, sizeof info) == sizeof info)
    reap_orphans(waiter.pid);
}

/* The exit status of the child as in a shell; 255 if something else has reaped it. */
static int status_of_child(void) {
  siginfo_t info;
  int r;
  do
    r = waitid(P_PIDFD, (id_t)waiter.process, &info, WEXITED);
  while (r < 0 && errno == EINTR);
  if (r < 0)
    return 255;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* The runtime removes the container and reaps the child. Its name gets the reason. Returns if it
 * cannot be executed. */
static void execute_runtime(const char *reason) {
  static const char message[] = "runt: runt could not be executed to end the container\n";
  static char name[64];
  struct text t = TEXT_IN(name);
  text_add(&t, waiter.command.words[0]);
  text_add_char(&t, ':');
  text_add(&t, reason);
  waiter.command.words[0] = name;
  if (fcntl(waiter.process, F_SETFD, 0) == 0)
    syscall(SYS_execveat, waiter.program, "", waiter.command.words, waiter.command.environment,
            AT_EMPTY_PATH);
  (void)!write(STDERR_FILENO, message, sizeof message - 1);
}

/* Safe: the pidfd is of the child. If the runtime cannot end it in its own way, KILL does: a
 * container must not outlive its limit. */
static void end_child(const char *reason) {
  execute_runtime(reason);
  syscall(SYS_pidfd_send_signal, waiter.process, SIGKILL, NULL, 0);
  waiter.limit = 0;
  waiter.program = -1;
}

/* ms until the limit, rounded up; -1 without one. */
static int time_left(void) {
  if (!waiter.limit)
    return -1;
  int64_t left = (int64_t)waiter.limit - clock_ns(CLOCK_MONOTONIC);
  int64_t ms = left <= 0 ? 0 : (left + 999999) / 1000000;
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int end_of_child(void) {
  if (waiter.program < 0 || !waiter.at_end)
    return status_of_child();
  execute_runtime("");
  return 1;
}

/* Kills the child, which would run on with nothing that waits for it. The runtime also removes the
 * container. A frozen process of v1 does not end: do not wait for ever. Returns the exit status. */
static int give_up(const char *what) {
  static char reason[32], message[160];
  struct text r = TEXT_IN(reason), t = TEXT_IN(message);
  int error = errno;
  text_add(&r, REASON_UNAWAITED ":");
  text_add_number(&r, (uint64_t)error);
  if (waiter.at_end && waiter.program >= 0)
    execute_runtime(reason);
  text_add(&t, "runt: wait for the process, which runt kills: ");
  text_add(&t, what);
  text_add(&t, ": errno ");
  text_add_number(&t, (uint64_t)error);
  text_add_char(&t, '\n');
  (void)!write(STDERR_FILENO, message, t.length);
  syscall(SYS_pidfd_send_signal, waiter.process, SIGKILL, NULL, 0);
  struct pollfd end = {waiter.process, POLLIN, 0};
  poll(&end, 1, UNAWAITED_END_TIME);
  return waiter.failed;
}

int end_unawaited(int process, int failed, const char *what) {
  waiter.process = process;
  waiter.failed = failed;
  waiter.program = -1;
  return give_up(what);
}

int await_end(int process, int failed, char *data, size_t length) {
  waiter.program = -1;
  waiter.failed = failed;
  if (parse(data, length))
    return end_unawaited(process, failed, "decode the request");
  if (fcntl(waiter.signals, F_SETFD, FD_CLOEXEC) || fcntl(waiter.process, F_SETFD, FD_CLOEXEC) ||
      (waiter.program >= 0 && fcntl(waiter.program, F_SETFD, FD_CLOEXEC)))
    return give_up("fcntl");
  if (open_orphans() < 0)
    return give_up("signalfd");
  close(init.report);
  prctl(PR_SET_NAME, "runt");
  reap_orphans(waiter.pid);
  for (;;) {
    struct pollfd fds[] = {
        {waiter.process, POLLIN, 0}, {waiter.signals, POLLIN, 0}, {waiter.orphans, POLLIN, 0}};
    if (poll(fds, 3, time_left()) < 0) {
      if (errno == EINTR)
        continue;
      return give_up("poll");
    }
    if (fds[0].revents)
      return end_of_child();
    if (!time_left())
      end_child(REASON_TIMEOUT);
    if (fds[1].revents)
      forward_signal();
    if (fds[2].revents)
      reap();
  }
}
