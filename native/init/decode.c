/* The decoder of the plan (docs/internals.md, "The plan on the wire"). Every string handed out
 * lies within the frame and is ended there, as the frame's last byte is NUL (checked first) and
 * fields are found by memchr up to the end (the class of CVE-2021-43784: a length that is
 * believed). */
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

static int next_fd(struct cursor *c, int *fd) {
  uint64_t n;
  if (next_number(c, &n) || (n > INT32_MAX && n != UINT64_MAX))
    return -1;
  *fd = n == UINT64_MAX ? -1 : (int)n;
  return 0;
}

static const struct op_shape *find_shape(uint32_t code) {
  for (size_t i = 0; i < sizeof op_shapes / sizeof *op_shapes; i++)
    if (op_shapes[i].code == code)
      return &op_shapes[i];
  return NULL;
}

int plan_next(struct cursor *c, struct op *op) {
  uint32_t code;
  if (next_small(c, UINT16_MAX, &code) || next_small(c, UINT32_MAX, &op->index))
    return -1;
  op->shape = find_shape(code);
  if (!op->shape)
    return -1;
  struct value *v = op->v;
  for (const char *kind = op->shape->fields; *kind; kind++, v++) {
    size_t length;
    if (*kind == 's') {
      if (next_field(c, &v->str, &length))
        return -1;
    } else if (*kind == 'i') {
      if (next_number(c, &v->num))
        return -1;
    } else if (*kind == 'b') {
      uint32_t on;
      if (next_small(c, 1, &on))
        return -1;
      v->on = on;
    } else {
      uint32_t count;
      if (next_small(c, PLAN_MAX, &count))
        return -1;
      v->num = count;
      v->str = c->at;
      const char *item;
      for (uint32_t i = 0; i < count; i++)
        if (next_field(c, &item, &length))
          return -1;
    }
  }
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
      next_fd(&c, &plan->start_socket) || next_small(&c, SLOTS_MAX, &plan->slots))
    return -1;
  plan->trace = (int)trace;
  plan->slot_fds = c;
  for (uint32_t i = 0; i < plan->slots; i++) {
    int fd;
    if (next_fd(&c, &fd))
      return -1;
  }
  plan->ops = c;
  struct op op;
  for (uint32_t i = 0; i < plan->count; i++)
    if (plan_next(&c, &op))
      return -1;
  return c.at == c.end ? 0 : -1;
}

const char *next_string(const char *s) { return s + strlen(s) + 1; }
