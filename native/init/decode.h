/* Decoder of the plan's frame: bounds-checked, table-driven, without system calls, so that it can
 * be fuzzed alone. */
#ifndef RUNT_INIT_DECODE_H
#define RUNT_INIT_DECODE_H
#include "ops.h"
#include "protocol.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One field. str: a string, or the first item of a list, each ended by NUL. num: an integer (its 64
 * bits) or flags, or the number of items in a list. slot: a number below plan.slots, -1 when the
 * field is absent. on: a boolean. present: false for an optional field that is absent. */
struct value {
  const char *str;
  uint64_t num;
  int slot;
  bool on, present;
};

struct op {
  const struct op_shape *shape;
  uint32_t index; /* in the whole plan */
  struct value v[OP_FIELDS_MAX];
};

/* A position in the frame. */
struct cursor {
  const char *at, *end;
};

struct plan {
  uint32_t count;
  int trace;
  int start_socket; /* -1: none */
  uint32_t slots;
  struct cursor slot_fds; /* `slots` descriptors */
  struct cursor ops;      /* the first operation */
};

/* Reads the head and checks every operation to the last byte. 0, or -1 for a malformed frame. */
int plan_open(const char *data, size_t length, struct plan *plan);

/* The next operation; only for a plan that plan_open accepted. 0, or -1. */
int plan_next(const struct plan *plan, struct cursor *c, struct op *op);

/* The next field as a decimal integer within 64 bits (signed or unsigned). 0, or -1. */
int next_number(struct cursor *c, uint64_t *number);

/* The next field as a descriptor; -1 for an empty one. 0, or -1. */
int next_descriptor(struct cursor *c, int *fd);

/* The string after s in a list. */
const char *next_string(const char *s);

/* The number or flags at *item in a list that plan_open has checked; advances *item. */
uint64_t next_in_list(const char **item);
#endif
