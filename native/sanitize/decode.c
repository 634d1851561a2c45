/* The plan's decoder on files, under valgrind: decode FILE… (hack/sanitize.mjs).
 *
 * Each file is decoded whole, without its end, and with one byte changed. With PLANT_UNDEFINED the
 * last byte of a plan is never written, which valgrind must report. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A copy of its own for each: a read beyond it is an error. */
static void decode(const uint8_t *data, size_t size, size_t changed) {
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy)
    exit(1);
#ifdef PLANT_UNDEFINED
  memcpy(copy, data, size - 1);
#else
  memcpy(copy, data, size);
#endif
  if (changed < size)
    copy[changed] ^= 0x15;
  (void)LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

int main(int argc, char **argv) {
  static uint8_t data[1 << 16];
  LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    if (!f) {
      perror(argv[i]);
      return 1;
    }
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    if (size < 2)
      continue;
    decode(data, size, size);
    for (size_t part = 1; part < 16; part++) {
      decode(data, size * part / 16 + 1, size);
      decode(data, size, size * part / 16);
    }
  }
  return 0;
}
