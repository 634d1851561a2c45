/* System calls that are not there: this kernel, or the sandbox that plays one, has none of that
 * number, or a seccomp filter around runt refuses it (an older engine's profile answers EPERM to
 * what it does not know). */
#ifndef RUNT_REFUSED_H
#define RUNT_REFUSED_H
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the call that has just failed is not there; errno is ENOSYS then, and else what it was.
 * EPERM is the kernel's answer, too: it is a filter's when the same call with arguments that mean
 * nothing gets it, for which the kernel has another error. */
static inline int is_refused(long number) {
  if (errno != EPERM)
    return errno == ENOSYS;
  int refused = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 && errno == EPERM;
  errno = refused ? ENOSYS : EPERM;
  return refused;
}
#endif
