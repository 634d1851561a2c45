/* Resource limits, set while the process still has the capability to raise them. */
#include "../init.h"
#include <sys/resource.h>

/* Descriptors that runt-init opens itself until the exec stay below this. */
enum { OWN_DESCRIPTORS = 64 };

static struct {
  int pending;
  struct rlimit limit;
} late;

/* Safe: the process's own limits. A limit on open descriptors may be too low for this program to
 * continue (accept start, read /etc/passwd). The last step down, which needs no capability, then
 * comes right before the exec. */
int op_rlimit(const struct op *op) {
  int resource = (int)op->v[RLIMIT_RESOURCE].num;
  struct rlimit limit = {op->v[RLIMIT_SOFT].num, op->v[RLIMIT_HARD].num};
  if (resource == RLIMIT_NOFILE)
    late.pending = 0;
  if (resource == RLIMIT_NOFILE && limit.rlim_cur < OWN_DESCRIPTORS) {
    late.pending = 1;
    late.limit = limit;
    limit.rlim_cur = OWN_DESCRIPTORS;
    if (limit.rlim_max < OWN_DESCRIPTORS)
      limit.rlim_max = OWN_DESCRIPTORS;
  }
  return syscall(SYS_prlimit64, 0, resource, &limit, NULL) ? fail("setrlimit", NULL) : 0;
}

int raise_descriptor_limit(void) {
  struct rlimit limit;
  if (late.pending || syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) ||
      limit.rlim_cur >= limit.rlim_max)
    return -1;
  late.limit = limit;
  limit.rlim_cur = limit.rlim_max;
  if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL))
    return -1;
  late.pending = 1;
  return 0;
}

int apply_late_limit(void) {
  if (!late.pending)
    return 0;
  return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &late.limit, NULL)
             ? fail("setrlimit", "RLIMIT_NOFILE")
             : 0;
}
