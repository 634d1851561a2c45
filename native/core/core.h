/* Shared helpers of the core: results as value or -errno, little-endian output. */
#ifndef RUNT_CORE_H
#define RUNT_CORE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "abi.h"
#include "kernel.h"
#include "protocol.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The value, or -errno when it is -1. */
static inline int32_t result(long value) { return value < 0 ? -errno : (int32_t)value; }

/* Repeats a call while a signal interrupts it. */
#define RETRY(call)                                                                                \
  ({                                                                                               \
    __typeof__(call) value_;                                                                       \
    do                                                                                             \
      value_ = (call);                                                                             \
    while (value_ == -1 && errno == EINTR);                                                        \
    value_;                                                                                        \
  })

/* Stores a 64-bit integer as entry `index` of an output, little-endian. */
static inline void put_i64(uint8_t *out, uint32_t index, int64_t value) {
  uint64_t v = (uint64_t)value;
  for (int i = 0; i < 8; i++)
    out[index * 8 + (uint32_t)i] = (uint8_t)(v >> (8 * i));
}

/* Entry `index` of an input of 64-bit integers, little-endian. */
static inline uint64_t get_u64(const uint8_t *in, uint32_t index) {
  uint64_t v = 0;
  for (uint32_t i = 8; i-- > 0;)
    v = v << 8 | in[(size_t)index * 8 + i];
  return v;
}

/* Entry `index` of an input of 32-bit integers, little-endian. */
static inline int32_t get_i32(const uint8_t *in, uint32_t index) {
  const uint8_t *p = in + (size_t)index * 4;
  return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                   (uint32_t)p[3] << 24);
}

/* For __attribute__((cleanup)): closes a descriptor and keeps errno. */
static inline void close_fd(int *fd) {
  if (*fd < 0)
    return;
  int saved = errno;
  close(*fd);
  errno = saved;
}
#define AUTO_CLOSE __attribute__((cleanup(close_fd)))

/* The kernel's own signal mask: the C library hides signals 32 and 33. */
enum { MASK_SIZE = 8 };

static inline void set_signal_mask(uint64_t mask, uint64_t *before) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, before, MASK_SIZE);
}
#endif
