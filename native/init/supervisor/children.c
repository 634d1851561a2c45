/* Children that this supervisor started, and those of a killed supervisor that it watches. */
#include "../../core/clock.h"
#include "../../core/process/pidfd.h"
#include "../../core/time-limits.h"
#include "supervisor.h"
#include <signal.h>
#include <sys/wait.h>

static struct child children[CHILDREN_MAX];
static int children_end; /* no child is at or after this index */

struct child *find_child(pid_t pid) {
  for (int i = 0; i < children_end; i++)
    if (children[i].pid == pid)
      return &children[i];
  return pid || children_end == CHILDREN_MAX ? NULL : &children[children_end++];
}

/* Removes a child from the table. A sibling, made by a joining process (CLONE_PARENT), is not in
 * it. */
static struct child forget(pid_t pid) {
  struct child *slot = find_child(pid), child = {.kind = KIND_SIBLING};
  if (slot) {
    child = *slot;
    slot->pid = 0;
  }
  return child;
}

static void record(const struct child *child, pid_t pid, const struct end *end) {
  switch (child->kind) {
  case KIND_JOINING:
  case KIND_SUCCESSOR:
    return;
  case KIND_SIBLING:
    /* No exec starts in a container before its init process is known. */
    if (!supervisor.awaited)
      return;
    supervisor.awaited = 0;
    break;
  case KIND_INIT:
    break;
  case KIND_EXEC:
    write_exec_end(pid, child->registered_at, end);
    return;
  }
  supervisor.ended = 1;
  write_init_end(pid, end);
}

/* Safe: a child that is not watched is ours, and only this thread reaps it, so no other process has
 * its pid; a watched one is signalled by its pidfd. An error means that it has ended. */
static void signal_child(const struct child *child, int signal) {
  if (child->watched)
    syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0);
  else
    kill(child->pid, signal);
}

/* A frozen process handles no TERM, and on v1 not even KILL.
 *
 * Safe: the file is of the container's own cgroup, which the runtime opened; a cgroup above that is
 * frozen keeps the container frozen. */
static void thaw(void) {
  /* v1's value, which v2 refuses, then v2's. */
  if (supervisor.freezer >= 0 && write(supervisor.freezer, "THAWED", 6) < 0)
    (void)!write(supervisor.freezer, "0", 1);
}

int end_late_children(void) {
  uint64_t now = (uint64_t)clock_ns(CLOCK_MONOTONIC), next = UINT64_MAX;
  for (int i = 0; i < children_end; i++) {
    struct child *child = &children[i];
    if (!child->pid || !child->limit)
      continue;
    if (child->limit <= now) {
      signal_child(child, child->stopping ? SIGKILL : SIGTERM);
      if (child->kind == KIND_INIT)
        thaw();
      child->limit = child->stopping ? 0 : now + child->stop_time;
      child->stopping = 1;
      child->reason = REASON_TIMEOUT;
    }
    if (child->limit && child->limit < next)
      next = child->limit;
  }
  if (next == UINT64_MAX)
    return -1;
  uint64_t ms = next <= now ? 0 : (next - now + 999999) / 1000000;
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

void kill_children(void) {
  for (int i = 0; i < children_end; i++)
    if (children[i].pid) {
      signal_child(&children[i], SIGKILL);
      children[i].reason = REASON_PARENT;
    }
}

int reap(void) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG)) {
      if (errno == EINTR)
        continue; /* no other SIGCHLD may come */
      return errno != ECHILD;
    }
    if (!info.si_pid)
      return 1;
    struct child child = forget(info.si_pid);
    struct end end = {.reason = child.reason,
                      .by_signal = info.si_code != CLD_EXITED,
                      .number = info.si_status,
                      .at = (uint64_t)clock_ns(CLOCK_REALTIME)};
    record(&child, info.si_pid, &end);
  }
}

/* Checks whether a watched process has ended. The kernel reports the status once the parent, the
 * subreaper or process 1, has reaped it. A parent that does not is not waited for. */
static void check_watched(struct child *child, short events) {
  int status = 0, r = pidfd_exit(child->pidfd, &status);
  if (!child->ended && events) {
    child->ended = (uint64_t)clock_ns(CLOCK_REALTIME);
    child->seen = (uint64_t)clock_ns(CLOCK_MONOTONIC);
  }
  int late =
      child->ended && (uint64_t)clock_ns(CLOCK_MONOTONIC) - child->seen > REAP_TIME * 1000000ull;
  /* Linux 6.15 reports the status. 6.13 has the ioctl, and POLLHUP shows that the process was
   * reaped. Older kernels have nothing to wait for. */
  if (r != 1 && !late && !(r < 0 ? events : events & POLLHUP))
    return;
  struct end end = {.lost = r != 1,
                    .reason = child->reason,
                    .by_signal = (status & 0x7f) != 0,
                    .number = status & 0x7f ? status & 0x7f : status >> 8 & 0xff,
                    .at = child->ended};
  struct child ended = *child;
  child->pid = 0;
  child->watched = 0;
  supervisor.watched--;
  close(ended.pidfd);
  record(&ended, ended.pid, &end);
}

int watch_child(struct child *slot, struct child child, int pidfd) {
  child.pidfd = sys_duplicate(pidfd);
  if (child.pidfd < 0)
    return -errno;
  child.watched = 1;
  *slot = child;
  supervisor.watched++;
  return child.pid;
}

/* The child of each polled entry. */
static struct child *watched[CHILDREN_MAX];

size_t poll_watched(struct pollfd fds[CHILDREN_MAX], int *late) {
  size_t n = 0;
  *late = 0;
  for (int i = 0; supervisor.watched && i < children_end; i++)
    if (children[i].pid && children[i].watched) {
      *late |= children[i].ended != 0;
      watched[n] = &children[i];
      fds[n++] = (struct pollfd){children[i].pidfd, children[i].ended ? 0 : POLLIN, 0};
    }
  return n;
}

void check_all_watched(const struct pollfd fds[CHILDREN_MAX], size_t count) {
  for (size_t i = 0; i < count; i++)
    if (fds[i].revents || watched[i]->ended)
      check_watched(watched[i], fds[i].revents);
}
