/* The time on a clock. */
#ifndef RUNT_CLOCK_H
#define RUNT_CLOCK_H
#include <errno.h>
#include <stdint.h>
#include <time.h>

/* In ns, or -errno. */
static inline int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) < 0)
    return -errno;
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
#endif
