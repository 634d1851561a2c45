/* libFuzzer target of the plan's decoder. It walks an accepted frame as main.c does, and reads
 * every string to its end, so that the address sanitizer sees a field that leaves the frame.
 * hack/fuzz reads the counts that it prints at the end. */
#define NAME "decode_fuzz"
#include "../init/decode.h"
#include "fuzz.h"
#include <ctype.h>
#include <string.h>

static unsigned long inputs, plans, operations, fields;

static void print_counts(void) {
  fprintf(stderr, "decode_fuzz: %lu inputs, %lu accepted plans, %lu operations, %lu fields\n",
          inputs, plans, operations, fields);
}

/* Reads a string. Returns the position after it, which must be within the frame. */
static const char *pass(const char *s, const char *end) {
  const char *next = next_string(s);
  demand(next <= end, "a string leaves the frame");
  fields++;
  return next;
}

/* The same for a number of a list. */
static void pass_number(const char **item, const char *end) {
  next_in_list(item);
  demand(*item <= end, "a number leaves the frame");
  fields++;
}

#ifdef PLANT_CRASH
/* The bug that hack/fuzz plants to check that the fuzzer finds one: a read past the frame for a
 * mask with a relative path, which no seed has. */
static void planted(const struct op *op, const char *end) {
  static volatile char sink;
  if (op->shape->code == OP_MASK && op->v[MASK_PATH].str[0] != '/')
    sink = *end;
  (void)sink;
}
#endif

static void walk(const struct op *op, uint32_t slots, const char *end) {
  const struct value *v = op->v;
  for (const char *kind = op->shape->fields; *kind; kind++, v++) {
    const char *item = v->str;
    demand(v->present || isupper(*kind), "a field is absent that is not optional");
    demand(v->slot >= 0 ? v->slot < (int)slots : v->slot == -1, "a slot is outside of the table");
    demand(v->slot >= 0 || *kind != 'd', "a slot is absent that is not optional");
    if (*kind == 's') {
      pass(item, end);
    } else if (strchr("lnmr", *kind)) {
      demand(v->num <= (uint64_t)(end - item), "a list has more items than bytes");
      for (uint64_t i = 0; i < v->num * (*kind == 'r' ? 2 : 1); i++)
        if (*kind == 'l')
          item = pass(item, end);
        else
          pass_number(&item, end);
    } else
      fields++;
  }
#ifdef PLANT_CRASH
  planted(op, end);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *frame = (const char *)data, *end = frame + size;
  inputs++;
  struct plan plan;
  if (plan_open(frame, size, &plan))
    return 0;
  plans++;
  demand(plan.slots <= SLOTS_MAX, "more slots than there may be");
  struct cursor c = plan.slot_fds;
  for (uint32_t i = 0; i < plan.slots; i++) {
    int fd;
    demand(next_descriptor(&c, &fd) == 0 && fd >= -1, "a slot is neither a descriptor nor empty");
  }
  demand(c.at == plan.ops.at, "the slots do not end where the operations begin");
  c = plan.ops;
  for (uint32_t i = 0; i < plan.count; i++) {
    struct op op;
    demand(plan_next(&plan, &c, &op) == 0, "an operation of an accepted plan cannot be decoded");
    operations++;
    walk(&op, plan.slots, end);
  }
  demand(c.at == end, "something follows the last operation");
  return 0;
}
