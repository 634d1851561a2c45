/* Time namespace (time_namespaces(7)): its offsets are written before any process runs in it. */
#include "../init.h"
#include <sched.h>

static int offsets = -1;

/* Opened before this process becomes undumpable, as its files in /proc then belong to the first
 * root, and before it joins any namespace. Safe: the offsets apply to the namespace that this
 * process makes for its children, whatever it has joined by then. */
int op_time_open(const struct op *op) {
  (void)op;
  offsets = proc_open_self("timens_offsets", O_WRONLY);
  return offsets < 0 ? fail("open", "timens_offsets") : 0;
}

static int write_offset(const char *clock, const struct value *seconds,
                        const struct value *nanoseconds) {
  char line[64];
  struct text t = TEXT_IN(line);
  if (!seconds->present)
    return 0;
  int negative = (int64_t)seconds->num < 0;
  text_add(&t, clock);
  text_add(&t, negative ? " -" : " ");
  text_add_number(&t, negative ? 0 - seconds->num : seconds->num);
  text_add_char(&t, ' ');
  text_add_number(&t, nanoseconds->num);
  return write(offsets, line, t.length) == (ssize_t)t.length ? 0 : fail("write", line);
}

/* Safe: the namespace is new and empty. This process enters it itself (setns(2) allows that only
 * to a process with one thread), so that no second clone is needed. */
int op_time_enter(const struct op *op) {
  const struct value *v = op->v;
  if (write_offset("monotonic", &v[TIME_ENTER_MONOTONIC], &v[TIME_ENTER_MONOTONIC_NANOSECS]) ||
      write_offset("boottime", &v[TIME_ENTER_BOOTTIME], &v[TIME_ENTER_BOOTTIME_NANOSECS]))
    return -1;
  close_cleanup(&offsets);
  uint64_t before = trace_now();
  int fd CLEANUP_CLOSE = proc_open_namespace("time_for_children");
  if (fd < 0 || syscall(SYS_setns, fd, CLONE_NEWTIME))
    return fail("setns", "time_for_children");
  trace_rebase(before);
  return 0;
}
