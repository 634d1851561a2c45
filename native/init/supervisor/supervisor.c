/* Supervisor mode of this program: the parent of one container's init process and execs.
 *
 * It starts them for the runtime, and writes how they end to the state directory, where that stays
 * even if all other processes are killed.
 *
 * It trusts its own user and root, by the credentials of each connection. The state directory
 * (0700, of the runtime's user) keeps others from the socket. It starts only the image that
 * comes with a request, and keeps no descriptor of the container. docs/internals.md, "The
 * supervisor". */
#include "supervisor.h"
#include "../../core/time-limits.h"
#include "../cgroup/oom-count.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

struct supervisor supervisor = {
    .sync = -1, .listener = -1, .state = -1, .followed = {-1, -1}, .freezer = -1};

/* Waits for an event and handles it. Nonzero when the supervisor is done. */
static int turn(int signals) {
  enum { SIGNALS, LISTENER, SYNC, OOM, FOLLOWED, FIXED = FOLLOWED + FOLLOWED_MAX };
  static struct pollfd fds[FIXED + CHILDREN_MAX];
  /* Until the handover is complete a request waits in the queue. */
  int serves = !supervisor.heir || supervisor.started;
  fds[SIGNALS] = (struct pollfd){signals, POLLIN, 0};
  fds[LISTENER] = (struct pollfd){serves ? supervisor.listener : -1, POLLIN, 0};
  fds[SYNC] = (struct pollfd){supervisor.sync, POLLIN, 0};
  fds[OOM] = (struct pollfd){oom_events(), POLLIN, 0};
  for (int i = 0; i < FOLLOWED_MAX; i++)
    fds[FOLLOWED + i] = (struct pollfd){supervisor.followed[i], POLLIN, 0};
  int late;
  size_t n = poll_watched(fds + FIXED, &late);
  int ms = end_late_children();
  if (late && (ms < 0 || ms > REAP_POLL_INTERVAL))
    ms = REAP_POLL_INTERVAL;
  if (supervisor.idle)
    ms = removal_pause();
  if (poll(fds, FIXED + n, ms) < 0)
    return errno != EINTR;
  if (fds[FOLLOWED].revents || fds[FOLLOWED + 1].revents)
    end_with_followed(fds + FOLLOWED);
  if (fds[OOM].revents)
    oom_happened();
  check_all_watched(fds + FIXED, n);
  int busy = 1;
  if (fds[SIGNALS].revents || n) {
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) > 0)
      supervisor.released |= info.ssi_signo == SIGUSR1;
    busy = reap() || supervisor.watched;
  }
  if (!busy && (supervisor.ended || supervisor.awaited))
    supervisor.idle = 1;
  if (supervisor.idle && follows_nothing())
    return 1;
  if (fds[LISTENER].revents)
    accept_one();
  if (!fds[SYNC].revents)
    return 0;
  if (!supervisor.heir) {
    /* The runtime ended before it started a container. */
    supervisor.idle = 1;
    close(supervisor.sync);
    supervisor.sync = -1;
    return follows_nothing();
  }
  if (serve(supervisor.sync))
    return !supervisor.started;
  if (supervisor.started) {
    close(supervisor.sync);
    supervisor.sync = -1;
  }
  return 0;
}

int supervise(const char *data, size_t length) {
  struct cursor c = {data, data + length};
  uint64_t listener, state, heir;
  c.at += sizeof SUPERVISE_MAGIC;
  if (next_number(&c, &listener) || next_number(&c, &state) || next_number(&c, &heir) ||
      c.at != c.end || listener > INT_MAX || state > INT_MAX || heir > 1) {
    fail_with(EBADMSG, "supervise", "the request cannot be decoded");
    return report_not_started();
  }
  supervisor.sync = init.report;
  supervisor.listener = (int)listener;
  supervisor.state = (int)state;
  supervisor.heir = (int)heir;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigaddset(&child, SIGUSR1);
  int keep[] = {supervisor.sync, supervisor.listener, supervisor.state};
  if (detach("runt-supervisor", keep, 3))
    return report_not_started();
  if (sigprocmask(SIG_BLOCK, &child, NULL)) {
    fail("sigprocmask", "SIGCHLD");
    return report_not_started();
  }
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) {
    fail("signalfd", "SIGCHLD");
    return report_not_started();
  }
  if (report_created())
    return 1;
  for (;;)
    if (turn(signals))
      return 0;
}
