/* libFuzzer target of the JSON scanner.
 *
 * wideIntegers: for any text the output stays within its buffer, a buffer of exactly the
 * length is enough, and one byte less is refused. The output is pairs of a JSON pointer and a
 * decimal of at least 16 digits, or one with an exponent. jsonError: it agrees on what is
 * JSON, and its position is in the text or at its end and matches its kind. */
#define NAME "json_fuzz"
#include "../core/core.h"
#include "fuzz.h"

static unsigned long inputs, documents, integers, errors;

static void print_counts(void) {
  fprintf(stderr,
          "json_fuzz: %lu inputs, %lu accepted documents, %lu wide integers, %lu syntax errors\n",
          inputs, documents, integers, errors);
}

static void check_pairs(const uint8_t *out, int32_t length) {
  const char *at = (const char *)out, *end = at + length;
  while (at < end) {
    demand(*at == '/' || *at == 0, "a pointer does not begin with a slash");
    at += strlen(at) + 1;
    demand(at < end, "a pointer without a literal");
    const char *digits = *at == '-' ? at + 1 : at;
    size_t n = strlen(digits);
    if (strpbrk(digits, "eE")) {
      demand(strspn(digits, "0123456789.eE+-") == n, "a literal that is not a number");
      at = digits + n + 1;
      continue;
    }
    demand(n >= 16 && strspn(digits, "0123456789") == n, "a literal that is not a wide integer");
#ifdef PLANT_CRASH
    /* The literals of the seeds have 19 and 20 digits. */
    demand(n == 19 || n == 20, "planted");
#endif
    at = digits + n + 1;
    integers++;
  }
}

/* n: the result of wideIntegers for the text. */
static void check_error(const uint8_t *data, size_t size, int32_t n) {
  uint8_t position[8] = {0};
  int32_t kind = runt_jsonError(data, (uint32_t)size, position, sizeof position);
  demand(n < 0 || kind == 0, "a document that is accepted has a syntax error");
  demand(n != -EBADMSG || kind > 0, "a document that is refused has no syntax error");
  demand(n != -ELOOP || kind == -ELOOP, "a document is too deep for one of two scans");
  if (kind <= 0)
    return;
  errors++;
  uint64_t at = 0;
  for (int i = 7; i >= 0; i--)
    at = at << 8 | position[i];
  demand(at <= size, "the offset is not in the text");
  demand(kind <= 11, "an unknown kind");
  /* Kinds 1 to 4 point at a byte: a quote, a control character, a backslash, a bracket. */
  if (kind > 4)
    return;
  demand(at < size, "the offset of this kind is not at the end");
  uint8_t c = data[at];
  demand(kind != 1 || c == '"', "a string without its opening quote");
  demand(kind != 2 || c < 0x20, "not a control character");
  demand(kind != 3 || c == '\\', "an escape without its backslash");
  demand(kind != 4 || c == ']' || c == '}', "a last comma before something else than a bracket");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  inputs++;
  /* Twelve times: the output repeats a pointer for each integer below it, but the fuzzer's texts
   * are short. */
  size_t room = size * 12 + 64;
  uint8_t *out = malloc(room);
  if (!out)
    return 0;
  int32_t n = runt_wideIntegers(data, (uint32_t)size, out, (uint32_t)room);
  check_error(data, size, n);
  if (n >= 0) {
    documents++;
    check_pairs(out, n);
    uint8_t *exact = malloc((size_t)n + !n);
    if (exact) {
      demand(runt_wideIntegers(data, (uint32_t)size, exact, (uint32_t)n) == n,
             "a buffer of exactly the length is refused");
      demand(memcmp(exact, out, (size_t)n) == 0, "two scans differ");
      demand(n == 0 ||
                 runt_wideIntegers(data, (uint32_t)size, exact, (uint32_t)n - 1) == -EOVERFLOW,
             "a buffer that is too small is not refused");
    }
    free(exact);
  }
  free(out);
  return 0;
}
