/* Decoder of the plan (docs/internals.md, "The plan on the wire").
 *
 * Every string that it returns lies within the frame and ends there: the last byte of the
 * frame is NUL (checked first), and memchr finds fields up to the end. It trusts no length
 * (the class of CVE-2021-43784). */
#include "decode.h"
#include "text.h"
#include <string.h>

static int next_field(struct cursor *c, const char **field, size_t *length) {
  if (c->at >= c->end)
    return -1;
  const char *nul = memchr(c->at, 0, (size_t)(c->end - c->at));
  if (!nul)
    return -1;
  *field = c->at;
  *length = (size_t)(nul - c->at);
  c->at = nul + 1;
  return 0;
}

static int parse_number(const char *s, size_t length, uint64_t *number) {
  int negative = length > 0 && s[0] == '-';
  if (text_number(s + negative, length - (size_t)negative,
                  negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX, number))
    return -1;
  if (negative)
    *number = 0 - *number;
  return 0;
}

int next_number(struct cursor *c, uint64_t *number) {
  const char *s;
  size_t length;
  return next_field(c, &s, &length) || parse_number(s, length, number) ? -1 : 0;
}

static int next_small(struct cursor *c, uint64_t max, uint32_t *number) {
  uint64_t n;
  if (next_number(c, &n) || n > max)
    return -1;
  *number = (uint32_t)n;
  return 0;
}

int next_descriptor(struct cursor *c, int *fd) {
  const char *s;
  size_t length;
  uint64_t n = 0;
  if (next_field(c, &s, &length) || (length && text_number(s, length, INT32_MAX, &n)))
    return -1;
  *fd = length ? (int)n : -1;
  return 0;
}

static const struct op_shape *find_shape(uint32_t code) {
  for (size_t i = 0; i < sizeof op_shapes / sizeof *op_shapes; i++)
    if (op_shapes[i].code == code)
      return &op_shapes[i];
  return NULL;
}

static int next_unsigned(struct cursor *c, uint64_t *number) {
  const char *s;
  size_t length;
  return next_field(c, &s, &length) || text_number(s, length, UINT64_MAX, number) ? -1 : 0;
}

/* An item of a list, by the letter of the list's type. */
static int next_item(struct cursor *c, char kind) {
  const char *string;
  size_t length;
  uint64_t first, last;
  switch (kind) {
  case 'n':
    return next_number(c, &first);
  case 'm':
    return next_unsigned(c, &first);
  case 'r':
    return next_unsigned(c, &first) || next_unsigned(c, &last) || first > last ? -1 : 0;
  default:
    return next_field(c, &string, &length);
  }
}

static int next_list(struct cursor *c, char kind, struct value *v) {
  uint32_t count;
#ifdef RUNT_WEAK_LENGTHS /* the runt-init that test/security attacks has this switch */
  uint64_t wide;
  if (next_number(c, &wide))
    return -1;
  count = (uint32_t)wide;
#else
  if (next_small(c, PLAN_MAX, &count))
    return -1;
#endif
  v->num = count;
  v->str = c->at;
  for (uint32_t i = 0; i < count; i++)
    if (next_item(c, kind))
      return -1;
  return 0;
}

static int next_slot(struct cursor *c, uint32_t slots, int *slot) {
  uint32_t n;
  if (next_small(c, SLOTS_MAX, &n) || n >= slots)
    return -1;
  *slot = (int)n;
  return 0;
}

/* A field, by the letter of its type. A capital marks an optional field, which is empty when
 * absent. */
static int next_value(struct cursor *c, uint32_t slots, char kind, struct value *v) {
  size_t length;
  uint32_t on;
  *v = (struct value){.str = "", .slot = -1, .present = true};
  if (kind >= 'A' && kind <= 'Z') {
    v->present = c->at < c->end && *c->at;
    if (!v->present)
      return next_field(c, &v->str, &length);
    kind = (char)(kind - 'A' + 'a');
  }
  switch (kind) {
  case 's':
    return next_field(c, &v->str, &length);
  case 'i':
    return next_number(c, &v->num);
  case 'f':
    return next_unsigned(c, &v->num);
  case 'd':
    return next_slot(c, slots, &v->slot);
  case 'b':
    if (next_small(c, 1, &on))
      return -1;
    v->on = on;
    return 0;
  default:
    return next_list(c, kind, v);
  }
}

int plan_next(const struct plan *plan, struct cursor *c, struct op *op) {
  uint32_t code;
  if (next_small(c, UINT16_MAX, &code) || next_small(c, UINT32_MAX, &op->index))
    return -1;
  op->shape = find_shape(code);
  if (!op->shape)
    return -1;
  struct value *v = op->v;
  for (const char *kind = op->shape->fields; *kind; kind++, v++)
    if (next_value(c, plan->slots, *kind, v))
      return -1;
  return 0;
}

int plan_open(const char *data, size_t length, struct plan *plan) {
  static const char magic[] = PLAN_MAGIC;
  if (length < sizeof magic || length > PLAN_MAX || data[length - 1] != 0 ||
      memcmp(data, magic, sizeof magic) != 0)
    return -1;
  struct cursor c = {data + sizeof magic, data + length};
  uint32_t trace;
  if (next_small(&c, PLAN_MAX, &plan->count) || next_small(&c, 1, &trace) ||
      next_descriptor(&c, &plan->start_socket) || next_small(&c, SLOTS_MAX, &plan->slots))
    return -1;
  plan->trace = (int)trace;
  plan->slot_fds = c;
  for (uint32_t i = 0; i < plan->slots; i++) {
    int fd;
    if (next_descriptor(&c, &fd))
      return -1;
  }
  plan->ops = c;
  struct op op;
  for (uint32_t i = 0; i < plan->count; i++)
    if (plan_next(plan, &c, &op))
      return -1;
  return c.at == c.end ? 0 : -1;
}

const char *next_string(const char *s) { return s + strlen(s) + 1; }

uint64_t next_in_list(const char **item) {
  uint64_t number = 0;
  size_t length = strlen(*item);
  parse_number(*item, length, &number);
  *item += length + 1;
  return number;
}
