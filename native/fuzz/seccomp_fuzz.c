/* libFuzzer target of packed seccomp profiles: for any bytes, a program fits its buffer, its jumps
 * stay in it and its last instruction returns; a refused profile has a position. */
#define NAME "seccomp_fuzz"
#include "../core/core.h"
#include "fuzz.h"
#include <linux/filter.h>

static unsigned long inputs, programs, rules_refused;

static void print_counts(void) {
  fprintf(stderr, "seccomp_fuzz: %lu inputs, %lu programs, %lu refused rules\n", inputs, programs,
          rules_refused);
}

static void check_program(const struct sock_filter *at, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    if (BPF_CLASS(at[i].code) != BPF_JMP)
      continue;
    int always = BPF_OP(at[i].code) == BPF_JA;
    unsigned long jump = always ? at[i].k : at[i].jt > at[i].jf ? at[i].jt : at[i].jf;
    demand(i + jump + 1 < count, "a jump leaves the program");
  }
  demand(BPF_CLASS(at[count - 1].code) == BPF_RET, "the last instruction does not return");
}

static void check_position(const uint8_t *program) {
  int64_t item = (int64_t)get_u64(program, 0), name = (int64_t)get_u64(program, 1);
  demand(item >= -1 && name >= -1, "no position");
  rules_refused += item > 0 && name != 0;
#ifdef PLANT_CRASH
  demand(item != 3, "planted");
#endif
}

/* libseccomp 2.5.4 loses parts of a rule that it has already (db_rule_add); zmalloc is its own. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:zmalloc\n"; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sock_filter code[BPF_MAXINSNS];
  uint8_t *program = (uint8_t *)code;
  inputs++;
  /* libseccomp takes seconds for thousands of conditions, which are not the subject here. */
  if (size > 1024)
    return 0;
  put_i64(program, 0, 0);
  put_i64(program, 1, 0);
  int32_t n = runt_compileSeccomp(data, (uint32_t)size, program, sizeof code);
  if (n < 0) {
    check_position(program);
    return 0;
  }
  programs++;
  demand(n > 0 && n % 8 == 0 && (size_t)n <= sizeof code, "not a number of instructions");
  check_program(code, (unsigned)n / 8);
  return 0;
}
