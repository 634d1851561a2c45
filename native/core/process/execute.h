/* Execution of a descriptor's file: execveat(2), or execve(2) of its name in procfs. */
#ifndef RUNT_EXECUTE_H
#define RUNT_EXECUTE_H
#include "../refused.h"
#include "procfs.h"
#include <string.h>

enum { DIGITS_MAX = 12 };
/* The decimal digits of a descriptor, in a buffer of DIGITS_MAX bytes. */
static inline char *digits_of(int fd, char *buffer) {
  char *digits = &buffer[DIGITS_MAX - 1];
  *digits = 0;
  do
    *--digits = (char)('0' + fd % 10);
  while (fd /= 10);
  return digits;
}

/* Returns when it fails, with errno; ENOSYS: execveat(2) is refused, and there is no other way.
 * Safe: the name is looked up below the verified root of a procfs, where only the kernel makes
 * names, and leads to the descriptor's file. Only for a process that shares neither directory nor
 * descriptors. */
static inline void execute_fd(int fd, char *const *argv, char *const *envp) {
  syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
  if (!is_refused(SYS_execveat))
    return;
  int proc = open_procfs();
  char buffer[DIGITS_MAX], path[8 + DIGITS_MAX] = "self/fd/";
  strcpy(path + 8, digits_of(fd, buffer));
  if (proc >= 0 && fchdir(proc) == 0) {
    execve(path, argv, envp);
    if (errno != ENOENT) /* a procfs of another pid namespace has no `self` */
      return;
  }
  errno = ENOSYS;
}
#endif
