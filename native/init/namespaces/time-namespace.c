/* The time namespace (time_namespaces(7)): offsets are written before anything runs in it. */
#include "../init.h"
#include <sched.h>

static int offsets = -1;

/* Opened before this process is not dumpable, when its files in /proc belong to the first root, and
 * before it joins anything. Safe: what is written goes to the namespace that this process makes for
 * its children, whatever it has joined by then. */
int op_time_open(const struct op *op) {
  (void)op;
  offsets = proc_open_self("timens_offsets", O_WRONLY);
  return offsets < 0 ? fail("open", "timens_offsets") : 0;
}

/* Safe: the namespace is new and holds nobody yet. This process enters it itself (setns(2) takes
 * only one with one thread), so that no second clone is needed. */
int op_time_enter(const struct op *op) {
  const struct value *list = &op->v[TIME_ENTER_OFFSETS];
  const char *line = list->str;
  for (uint64_t i = 0; i < list->num; i++, line = next_string(line))
    if (write(offsets, line, strlen(line)) != (ssize_t)strlen(line))
      return fail("write", line);
  close_cleanup(&offsets);
  uint64_t before = trace_now();
  int fd CLEANUP_CLOSE = proc_open_namespace("time_for_children");
  if (fd < 0 || syscall(SYS_setns, fd, CLONE_NEWTIME))
    return fail("setns", "time_for_children");
  trace_rebase(before);
  return 0;
}
