/* The session keyring. */
#include "../init.h"
#include <linux/keyctl.h>

/* Safe: the new session keyring is empty; without it the container would have the caller's keys.
 * The owner may search it, so that `exec` can join it later. A kernel without keyrings has no keys
 * to leak. */
int op_keyring(const struct op *op) {
  /* KEY_POS_* and KEY_USR_*, which no userspace header has. */
  enum { POSSESSOR_ALL = 0x3f000000, USER_VIEW_READ_SEARCH_LINK = 0x001b0000 };
  long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, op->v[KEYRING_NAME].str, 0, 0, 0);
  if (ring < 0)
    return errno == ENOSYS ? 0 : fail("keyctl", op->v[KEYRING_NAME].str);
  if (syscall(SYS_keyctl, KEYCTL_SETPERM, ring, POSSESSOR_ALL | USER_VIEW_READ_SEARCH_LINK, 0, 0))
    return fail("keyctl", op->v[KEYRING_NAME].str);
  return 0;
}
