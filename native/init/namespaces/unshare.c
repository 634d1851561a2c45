/* New namespaces, and the wait for the runtime's work in them. */
#include "../init.h"
#include <sched.h>

int op_unshare(const struct op *op) {
  return unshare((int)op->v[UNSHARE_FLAGS].num) ? fail("unshare", NULL) : 0;
}

/* Copies a mount namespace with one mount, as a copy of the host's costs time for each of its
 * mounts. The plan needs none of them from here on.
 *
 * Safe: the namespace is the one that the runtime has verified, and nothing is changed in it: the
 * copy is made before the next operation. This process has one thread, which shares neither root
 * nor working directory. Both become the root of that namespace, below which the container's root
 * is attached. If setns(2) is refused (no CAP_SYS_CHROOT, or a seccomp filter), a copy of the
 * host's namespace does as well: it gets its propagation next. */
int op_unshare_mounts(const struct op *op) {
  int namespace CLEANUP_CLOSE = take_slot(op->v[UNSHARE_MOUNTS_SLOT].slot);
  if (namespace < 0)
    return fail_with(EBADF, "setns", "kdevtmpfs");
  if (syscall(SYS_setns, namespace, CLONE_NEWNS) && errno != EPERM && errno != ENOSYS)
    return fail("setns", "kdevtmpfs");
  return unshare(CLONE_NEWNS) ? fail("unshare", NULL) : 0;
}

/* Waits until the runtime has done its operations before this one. */
int op_await(const struct op *op) {
  if (report_await(op->index) || await_go())
    _exit(0);
  return 0;
}
