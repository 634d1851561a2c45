/* Execution of a descriptor's file: execveat(2), or execve(2) of its name in procfs. */
#ifndef RUNT_EXECUTE_H
#define RUNT_EXECUTE_H
#include "../refused.h"
#include "procfs.h"
#include <stddef.h>

/* Returns when it fails, with errno; ENOSYS: execveat(2) is refused, and there is no other way.
 * Safe: the name is looked up below the verified root of a procfs, where only the kernel makes
 * names, and leads to the descriptor's file. Only for a process that shares neither directory nor
 * descriptors. */
static inline void execute_fd(int fd, char *const *argv, char *const *envp) {
  syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
  if (!is_refused(SYS_execveat))
    return;
  int proc = open_procfs();
  char path[24] = "self/fd/", digits[12];
  size_t n = 0, length = 8;
  for (unsigned rest = (unsigned)fd; rest || n == 0; rest /= 10)
    digits[n++] = (char)('0' + rest % 10);
  while (n > 0)
    path[length++] = digits[--n];
  if (proc >= 0 && fchdir(proc) == 0) {
    execve(path, argv, envp);
    if (errno != ENOENT) /* a procfs of another pid namespace has no `self` */
      return;
  }
  errno = ENOSYS;
}
#endif
