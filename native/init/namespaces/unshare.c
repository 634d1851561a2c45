/* New namespaces, and the waiting for what the runtime does in them. */
#include "../init.h"
#include <sched.h>

int op_unshare(const struct op *op) {
  return unshare((int)op->v[UNSHARE_FLAGS].num) ? fail("unshare", NULL) : 0;
}

/* The runtime's word that it has done what the plan holds for it before this operation. */
int op_await(const struct op *op) {
  if (report_await(op->index) || await_go())
    _exit(0);
  return 0;
}
