/* Guard mode of this program: kills the process of an exec when one of the processes that it must
 * not outlive has ended.
 *
 * The kernel's own signal for that (PR_SET_PDEATHSIG) is lost when a process changes its
 * credentials. A supervisor cannot do it alone: not every container has one, and its heir does not
 * have these descriptors. docs/internals.md, "The guard of an exec". */
#include "../core/time-limits.h"
#include "init.h"
#include "text.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { GUARDED_BY_MAX = 2 };

static struct {
  int process;                  /* pidfd of the process */
  int state;                    /* state directory with a supervisor that records its end; or -1 */
  uint64_t pid, registered_at;  /* of its record */
  int followed[GUARDED_BY_MAX]; /* pidfds; the second may be -1 */
} guard;

/* GUARD_MAGIC, process, state, pid, registered_at, followed. */
static int parse(char *data, size_t length) {
  struct cursor c = {data + sizeof GUARD_MAGIC, data + length};
  if (next_descriptor(&c, &guard.process) || next_descriptor(&c, &guard.state) ||
      next_number(&c, &guard.pid) || next_number(&c, &guard.registered_at))
    return -1;
  for (int i = 0; i < GUARDED_BY_MAX; i++)
    if (next_descriptor(&c, &guard.followed[i]))
      return -1;
  return c.at == c.end && guard.process >= 0 && guard.followed[0] >= 0 ? 0 : -1;
}

/* Lets the supervisor record why the process ends. Without an answer the process is killed all the
 * same.
 *
 * Safe: the directory is the container's state, 0700, of the runtime's user. A later container of
 * the same id has another directory, and an exec with the same pid another time. */
static void notify_supervisor(void) {
  char request[96], answer[96];
  struct text t = TEXT_IN(request);
  text_add(&t, ORPHAN_REQUEST);
  text_add_char(&t, 0);
  text_add_number(&t, guard.pid);
  text_add_char(&t, 0);
  text_add_number(&t, guard.registered_at);
  struct timeval time = {.tv_sec = NOTICE_TIME / 1000};
  struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = SUPERVISOR_SOCKET};
  int fd CLEANUP_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) || fchdir(guard.state) ||
      connect(fd, (struct sockaddr *)&to, sizeof to))
    return;
  if (send(fd, request, t.length + 1, MSG_NOSIGNAL) > 0)
    (void)!recv(fd, answer, sizeof answer, 0);
}

/* Safe: a pidfd means the process of the exec, and never another one that has its pid. A frozen
 * process of cgroup v1 ends when it is thawed: the container is not resumed for it. */
static void kill_process(void) {
  if (guard.state >= 0)
    notify_supervisor();
  syscall(SYS_pidfd_send_signal, guard.process, SIGKILL, NULL, 0);
}

/* Safe: it ends with the process that it guards, so it needs no signal. A service manager that
 * stops the unit of the caller sends TERM to this process too (systemd.kill(5)). */
static int block_signals(void) {
  sigset_t all;
  sigfillset(&all);
  return sigprocmask(SIG_BLOCK, &all, NULL) ? fail("sigprocmask", NULL) : 0;
}

int guard_exec(char *data, size_t length) {
  if (parse(data, length)) {
    fail_with(EBADMSG, "guard", "the request cannot be decoded");
    return report_not_started();
  }
  int keep[3 + GUARDED_BY_MAX] = {init.report, guard.process, guard.followed[0]}, kept = 3;
  if (guard.followed[1] >= 0)
    keep[kept++] = guard.followed[1];
  if (guard.state >= 0)
    keep[kept++] = guard.state;
  if (detach("runt-guard", keep, (size_t)kept) || block_signals())
    return report_not_started();
  if (report_created())
    return 1;
  close(init.report);
  for (;;) {
    struct pollfd fds[1 + GUARDED_BY_MAX] = {{guard.process, POLLIN, 0}};
    for (int i = 0; i < GUARDED_BY_MAX; i++)
      fds[1 + i] = (struct pollfd){guard.followed[i], POLLIN, 0};
    /* Without memory for the wait, what it guards must not go on unguarded. */
    if (poll(fds, 1 + GUARDED_BY_MAX, -1) < 0 && errno == EINTR)
      continue;
    if (!fds[0].revents)
      kill_process();
    return 0;
  }
}
