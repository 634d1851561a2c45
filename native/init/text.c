/* Text without stdio: printf, strtol and malloc would be two thirds of a static program, which is
 * copied whole at each container's start. */
#include "text.h"
#include <string.h>
#include <sys/mman.h>

struct text text_in(char *buffer, size_t room) {
  buffer[0] = 0;
  return (struct text){buffer, room, 0, 0};
}

void text_add_part(struct text *t, const char *s, size_t n) {
  size_t left = t->room - 1 - t->length;
  n = strnlen(s, n);
  if (n > left) {
    n = left;
    t->cut = 1;
  }
  memcpy(t->at + t->length, s, n);
  t->length += n;
  t->at[t->length] = 0;
}

void text_add(struct text *t, const char *s) { text_add_part(t, s, strlen(s)); }

void text_add_char(struct text *t, char c) {
  if (t->length + 1 >= t->room) {
    t->cut = 1;
    return;
  }
  t->at[t->length++] = c;
  t->at[t->length] = 0;
}

void text_add_field(struct text *t, const char *s) {
  text_add(t, s);
  text_add_char(t, 0);
}

void text_add_number(struct text *t, uint64_t n) {
  char digits[21], *at = digits + sizeof digits - 1;
  *at = 0;
  do
    *--at = (char)('0' + n % 10);
  while (n /= 10);
  text_add(t, at);
}

void text_add_mode(struct text *t, unsigned mode) {
  for (int shift = 9; shift >= 0; shift -= 3)
    text_add_char(t, (char)('0' + (mode >> shift & 7)));
}

int text_number(const char *s, size_t length, uint64_t max, uint64_t *number) {
  if (length == 0 || length > 20)
    return -1;
  uint64_t n = 0;
  for (size_t i = 0; i < length; i++) {
    if (s[i] < '0' || s[i] > '9')
      return -1;
    uint64_t digit = (uint64_t)(s[i] - '0');
    if (n > (UINT64_MAX - digit) / 10)
      return -1;
    n = n * 10 + digit;
  }
  if (n > max)
    return -1;
  *number = n;
  return 0;
}

/* Most plans need a page or two; the few large ones get separate pages. */
static _Alignas(16) char arena[16384];
static size_t arena_used;

void *allocate(size_t size) {
  if (size <= sizeof arena - arena_used) {
    void *p = arena + arena_used;
    arena_used += (size + 15) & ~(size_t)15;
    if (arena_used > sizeof arena)
      arena_used = sizeof arena;
    return p;
  }
  return allocate_pages(size);
}

/* Precedes the memory of allocate_pages. */
static struct block {
  struct block *next;
  size_t size;
} * blocks;
_Static_assert(sizeof(struct block) == 16, "what follows is aligned as in the arena");

void *allocate_pages(size_t size) {
  size += sizeof *blocks;
  struct block *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b == MAP_FAILED)
    return NULL;
  *b = (struct block){blocks, size - sizeof *b};
  blocks = b;
  return b + 1;
}

/* Paths in the frames of functions that have returned. The kernel maps this much of the stack at
 * the start (setup_arg_pages), whatever its limit is now. */
static __attribute__((noinline)) void forget_frames(void) {
  char frames[48 << 10];
  explicit_bzero(frames, sizeof frames);
}

void forget_all(void) {
  explicit_bzero(arena, sizeof arena);
  for (struct block *b = blocks; b; b = b->next)
    explicit_bzero(b + 1, b->size);
  forget_frames();
}
