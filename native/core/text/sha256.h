/* SHA-256 of bytes that come in parts. */
#ifndef RUNT_SHA256_H
#define RUNT_SHA256_H
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
  uint32_t h[8];
  uint64_t length; /* of all bytes so far */
  uint8_t rest[SHA256_BLOCK];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const uint8_t *data, size_t length);
void sha256_end(const struct sha256 *s, uint8_t digest[SHA256_SIZE]);

#endif
