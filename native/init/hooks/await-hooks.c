/* Wait for the hooks that the runtime runs. */
#include "../init.h"

/* The runtime now runs prestart and createRuntime hooks. Then it sends the pid of this process in
 * its own pid namespace, which later hooks receive. */
int op_await_hooks(const struct op *op) {
  (void)op;
  unsigned char pid[4];
  init.hooks_ran = 1;
  if (report_hooks() || await_go() || read_fully(init.report, pid, sizeof pid))
    _exit(0); /* the runtime is gone, or a hook has failed */
  init.host_pid = pid[0] | (uint32_t)pid[1] << 8 | (uint32_t)pid[2] << 16 | (uint32_t)pid[3] << 24;
  return 0;
}
