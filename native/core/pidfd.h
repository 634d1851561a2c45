/* How a process has ended, from a pidfd that was opened before it was reaped: PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT of Linux 6.15, whoever its parent is. Not in the headers of Debian 12. */
#ifndef RUNT_PIDFD_H
#define RUNT_PIDFD_H
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* The wait status in *status and 1; 0 when it runs or its parent has not reaped it; -errno where
 * the kernel cannot tell: ENOTTY before Linux 6.13, ESRCH before 6.15. */
static inline int pidfd_exit(int pidfd, int *status) {
  enum { INFO_EXIT = 1 << 3 };
  struct {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code;
  } info = {.mask = INFO_EXIT};
  /* Twice: one that is reaped while the kernel looks gives ESRCH, and its status at the next look.
   */
  if (ioctl(pidfd, _IOWR(0xff, 11, info), &info)) {
    if (errno != ESRCH)
      return -errno;
    info.mask = INFO_EXIT;
    if (ioctl(pidfd, _IOWR(0xff, 11, info), &info))
      return -errno;
  }
  if (!(info.mask & INFO_EXIT))
    return 0;
  *status = info.exit_code;
  return 1;
}
#endif
