/* memcpy(3) for short copies, of which QuickJS makes thousands while it reads bytecode. musl's
 * pays the start-up cost of a string instruction for each (6 % of a run of `validate`). Linked
 * with --wrap=memcpy: musl's memmove needs the original. */
#include <stddef.h>
#include <stdint.h>

typedef uint16_t __attribute__((may_alias, aligned(1))) u16;
typedef uint32_t __attribute__((may_alias, aligned(1))) u32;
typedef uint64_t __attribute__((may_alias, aligned(1))) u64;
typedef uint64_t two_u64 __attribute__((vector_size(16)));
typedef two_u64 __attribute__((may_alias, aligned(1))) u128;

/* Copies the first and last part of a block, which may overlap in the middle. */
#define BOTH_ENDS(type)                                                                            \
  do {                                                                                             \
    type first = *(const type *)from, last = *(const type *)(from + n - sizeof(type));             \
    *(type *)to = first;                                                                           \
    *(type *)(to + n - sizeof(type)) = last;                                                       \
  } while (0)

void *__wrap_memcpy(void *restrict target, const void *restrict source, size_t n);

void *__wrap_memcpy(void *restrict target, const void *restrict source, size_t n) {
  uint8_t *to = target;
  const uint8_t *from = source;
  if (n > 32) {
#ifdef __x86_64__
    if (n > 512) {
      __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
      return target;
    }
#endif
    u128 last = *(const u128 *)(from + n - 16);
    uint8_t *tail = to + n - 16;
    for (; n > 16; n -= 16, to += 16, from += 16) {
      *(u128 *)to = *(const u128 *)from;
      /* Otherwise gcc recognises the loop and calls memcpy. */
      __asm__ volatile("" : "+r"(from));
    }
    *(u128 *)tail = last;
  } else if (n >= 16)
    BOTH_ENDS(u128);
  else if (n >= 8)
    BOTH_ENDS(u64);
  else if (n >= 4)
    BOTH_ENDS(u32);
  else if (n >= 2)
    BOTH_ENDS(u16);
  else if (n == 1)
    *to = *from;
  return target;
}
