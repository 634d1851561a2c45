/* New namespaces, and the wait for the runtime's work in them. */
#include "../init.h"
#include <sched.h>

int op_unshare(const struct op *op) {
  return unshare((int)op->v[UNSHARE_FLAGS].num) ? fail("unshare", NULL) : 0;
}

/* Waits until the runtime has done its operations before this one. */
int op_await(const struct op *op) {
  if (report_await(op->index) || await_go())
    _exit(0);
  return 0;
}
