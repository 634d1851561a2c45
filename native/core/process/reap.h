/* Reaping of orphans by a subreaper that waits for one child. */
#ifndef RUNT_REAP_H
#define RUNT_REAP_H
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

/* Reaps all children that have ended, but for `child`: once that has, nothing is reaped any more.
 */
static inline void reap_orphans(pid_t child) {
  for (;;) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == EINTR)
      continue;
    if (info.si_pid == 0 || info.si_pid == child)
      return;
    waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
  }
}
#endif
