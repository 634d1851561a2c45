/* The separation of a second-mode process from its caller. */
#include "../../core/process/close-listed.h"
#include "../init.h"
#include <sys/prctl.h>

enum { KEPT_MAX = 5 };
static int kept[KEPT_MAX];
static size_t kept_count;

static int is_kept(int fd) {
  for (size_t i = 0; i < kept_count; i++)
    if (kept[i] == fd)
      return 1;
  return 0;
}

static int close_others(void) {
  for (unsigned next = 3;;) {
    unsigned lowest = UINT_MAX;
    for (size_t i = 0; i < kept_count; i++)
      if (kept[i] >= (int)next && (unsigned)kept[i] < lowest)
        lowest = (unsigned)kept[i];
    if (lowest > next && sys_close_range(next, lowest == UINT_MAX ? UINT_MAX : lowest - 1, 0)) {
      if (!is_refused(SYS_close_range))
        return fail("close_range", NULL);
      return close_listed(next, is_kept) ? fail("close", "/proc/self/fd") : 0;
    }
    if (lowest == UINT_MAX)
      return 0;
    next = lowest + 1;
  }
}

int detach(const char *name, const int keep[], size_t count) {
  int null = sys_open("/dev/null", O_RDWR);
  if (null < 0)
    return fail("open", "/dev/null");
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0)
      return fail("dup2", "/dev/null");
  if (null > 2)
    close(null);
  for (kept_count = 0; kept_count < count && kept_count < KEPT_MAX; kept_count++) {
    kept[kept_count] = keep[kept_count];
    if (fcntl(kept[kept_count], F_SETFD, FD_CLOEXEC))
      return fail("fcntl", "FD_CLOEXEC");
  }
  if (close_others())
    return -1;
  if (setsid() < 0)
    return fail("setsid", NULL);
  prctl(PR_SET_NAME, name);
  if (chdir("/"))
    return fail("chdir", "/");
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}
