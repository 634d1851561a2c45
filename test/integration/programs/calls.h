/* The names of system calls and their numbers here, from the kernel's headers. */
#pragma once
#include <asm/unistd.h>
#include <stddef.h>
#include <string.h>

/* Linux 6.8 and newer: the kernel's headers may be older. */
#ifndef __NR_statmount
#define __NR_statmount 457
#endif
#ifndef __NR_listmount
#define __NR_listmount 458
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif

/* hack/test-c.mjs writes the header below: CALL(name) for each name that <asm/unistd.h> defines. */
#define CALL(name) {#name, __NR_##name},
static const struct {
  const char *name;
  unsigned number;
} calls[] = {
#include "call-names.h"
    CALL(statmount) CALL(listmount) CALL(open_tree_attr)};
#undef CALL

#define NO_CALL 0xffffffffu

static inline unsigned call_number(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strlen(calls[i].name) == length && memcmp(calls[i].name, name, length) == 0)
      return calls[i].number;
  return NO_CALL;
}

static inline const char *call_name(unsigned number) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (calls[i].number == number)
      return calls[i].name;
  return "unknown";
}
