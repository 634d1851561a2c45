/* The waiting for the hooks that the runtime runs. */
#include "../init.h"

/* The runtime runs prestart and createRuntime hooks now, and says then which pid this process has
 * in its own pid namespace: hooks are told that one. */
int op_await_hooks(const struct op *op) {
  (void)op;
  unsigned char word[5];
  init.hooks_ran = 1;
  if (report_hooks() || read_fully(init.report, word, sizeof word))
    _exit(0); /* the runtime is gone, or a hook has failed */
  init.host_pid =
      word[1] | (uint32_t)word[2] << 8 | (uint32_t)word[3] << 16 | (uint32_t)word[4] << 24;
  return 0;
}
