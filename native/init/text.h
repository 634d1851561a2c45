/* Text without stdio and numbers without locale, for what runt-init writes and reads, in a few
 * hundred bytes. */
#ifndef RUNT_INIT_TEXT_H
#define RUNT_INIT_TEXT_H
#include <stddef.h>
#include <stdint.h>

/* Text that grows in a buffer of fixed size and always ends with NUL. What does not fit is cut
 * off, and `cut` is set. */
struct text {
  char *at;
  size_t room;   /* of the buffer, its NUL included */
  size_t length; /* without the NUL */
  int cut;
};

/* Text in the array `buffer`. */
#define TEXT_IN(buffer) text_in(buffer, sizeof(buffer))
struct text text_in(char *buffer, size_t room);

void text_add(struct text *t, const char *s);
/* At most n bytes of s. */
void text_add_part(struct text *t, const char *s, size_t n);
void text_add_char(struct text *t, char c);
/* A field of a frame: s and a NUL. */
void text_add_field(struct text *t, const char *s);
void text_add_number(struct text *t, uint64_t n);
/* Four octal digits, as a mode is written. */
void text_add_mode(struct text *t, unsigned mode);

/* Parses exactly `length` bytes as a decimal without sign, at most max. 0, or -1. */
int text_number(const char *s, size_t length, uint64_t max, uint64_t *number);

/* Memory that stays until the exec, aligned for any type. NULL with errno. */
void *allocate(size_t size);
/* The same, for what is large or may be. */
void *allocate_pages(size_t size);
/* Overwrites all of it, and the stack below the caller. */
void forget_all(void);
#endif
