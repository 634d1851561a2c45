/* Ambient capabilities, for an exec in a new user namespace. */
#ifndef RUNT_AMBIENT_H
#define RUNT_AMBIENT_H
#include "../kernel.h"
#include <unistd.h>

/* Makes every permitted capability inheritable and ambient. After a clone with CLONE_NEWUSER the
 * child has every capability, but its ids are not mapped yet: an exec by any id but 0 drops all
 * that are not ambient (capabilities(7)). Safe between vfork and exec. 0, or -1 with errno. */
static inline int raise_ambient(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &head, set) < 0)
    return -1;
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
    set[i].inheritable = set[i].permitted;
  if (syscall(SYS_capset, &head, set) < 0)
    return -1;
  for (unsigned cap = 0; cap < 32 * _LINUX_CAPABILITY_U32S_3; cap++)
    if (set[cap / 32].permitted >> (cap % 32) & 1 &&
        syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
      return -1;
  return 0;
}
#endif
