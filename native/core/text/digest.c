/* SHA-256 (FIPS 180-4). */
#include "../core.h"
#include "sha256.h"

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t right(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static void block(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64];
  for (size_t i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
           p[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + w[i - 7] + (right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3) +
           (right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10);
  /* Variables stay in registers: with an array and memmove 4.7 KB took 319 us, not 21. */
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], last = h[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 =
        last + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    last = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const uint32_t s[8] = {a, b, c, d, e, f, g, last};
  for (int i = 0; i < 8; i++)
    h[i] += s[i];
}

void sha256_begin(struct sha256 *s) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(s->h, first, sizeof s->h);
  s->length = 0;
}

void sha256_add(struct sha256 *s, const uint8_t *data, size_t length) {
  size_t used = s->length % SHA256_BLOCK;
  s->length += length;
  if (used > 0) {
    size_t room = SHA256_BLOCK - used, part = length < room ? length : room;
    memcpy(s->rest + used, data, part);
    data += part;
    length -= part;
    if (part < room)
      return;
    block(s->h, s->rest);
  }
  for (; length >= SHA256_BLOCK; data += SHA256_BLOCK, length -= SHA256_BLOCK)
    block(s->h, data);
  if (length > 0)
    memcpy(s->rest, data, length);
}

void sha256_end(const struct sha256 *s, uint8_t digest[SHA256_SIZE]) {
  uint32_t h[8];
  memcpy(h, s->h, sizeof h);
  /* The rest, a one bit, zeros, and the length in bits. */
  uint8_t last[2 * SHA256_BLOCK] = {0};
  size_t rest = s->length % SHA256_BLOCK, size = rest < 56 ? SHA256_BLOCK : sizeof last;
  memcpy(last, s->rest, rest);
  last[rest] = 0x80;
  uint64_t bits = s->length * 8;
  for (size_t i = 0; i < 8; i++)
    last[size - 1 - i] = (uint8_t)(bits >> (8 * i));
  for (size_t i = 0; i < size; i += SHA256_BLOCK)
    block(h, last + i);
  for (unsigned i = 0; i < SHA256_SIZE; i++)
    digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

int32_t runt_sha256(const uint8_t *data, uint32_t data_len, uint8_t *digest, uint32_t digest_cap) {
  if (digest_cap < SHA256_SIZE)
    return -EOVERFLOW;
  struct sha256 s;
  sha256_begin(&s);
  sha256_add(&s, data, data_len);
  sha256_end(&s, digest);
  return SHA256_SIZE;
}
