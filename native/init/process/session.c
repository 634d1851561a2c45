/* Session of the process, and its protection from tracing. */
#include "../init.h"
#include <sys/prctl.h>

/* Safe: a new session has no controlling terminal. No process outside can push input to a terminal
 * that it gets later, nor can it push any to the caller's. A process that already leads a session
 * is as good. */
int op_session(const struct op *op) {
  (void)op;
  int error = setsid() < 0 ? errno : 0;
  return error && getsid(0) != getpid() ? fail_with(error, "setsid", NULL) : 0;
}

/* Safe: only takes rights away. Not before the id maps are written: the kernel and newuidmap
 * refuse to write those of a process that is not dumpable. From now on no process of the container
 * can trace this one or reach the host through its descriptors (CVE-2016-9962). */
int op_undumpable(const struct op *op) {
  (void)op;
#ifdef RUNT_WEAK_DUMPABLE
  /* Only for the runt-init that test/security attacks. */
  return 0;
#endif
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}
