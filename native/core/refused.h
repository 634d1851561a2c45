/* System calls that are refused: this kernel, or a sandbox in its place, lacks them, or a seccomp
 * filter around runt forbids them (an older engine's profile returns EPERM for unknown calls). */
#ifndef RUNT_REFUSED_H
#define RUNT_REFUSED_H
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the call that has just failed is refused; if so it sets errno to ENOSYS. EPERM may be
 * the kernel's. It is a filter's if the same call with meaningless arguments, for which the kernel
 * has another error, gets it too. */
static inline int is_refused(long number) {
  if (errno != EPERM)
    return errno == ENOSYS;
  int refused = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 && errno == EPERM;
  errno = refused ? ENOSYS : EPERM;
  return refused;
}
#endif
