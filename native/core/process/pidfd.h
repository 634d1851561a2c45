/* Exit status of a process, from a pidfd that was opened before it was reaped: PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT of Linux 6.15, whoever its parent is. */
#ifndef RUNT_PIDFD_H
#define RUNT_PIDFD_H
#include "../kernel.h"
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* 1 and the wait status in *status; 0 when the process runs or its parent has not reaped it;
 * -errno where the kernel does not report it: ENOTTY before Linux 6.13, ESRCH before 6.15. */
static inline int pidfd_exit(int pidfd, int *status) {
  struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
  /* Twice: if the process is reaped during the call, that returns ESRCH, and the next one the
   * status. */
  if (ioctl(pidfd, PIDFD_GET_INFO, &info)) {
    if (errno != ESRCH)
      return -errno;
    info.mask = PIDFD_INFO_EXIT;
    if (ioctl(pidfd, PIDFD_GET_INFO, &info))
      return -errno;
  }
  if (!(info.mask & PIDFD_INFO_EXIT))
    return 0;
  *status = info.exit_code;
  return 1;
}
#endif
