/* Shared parts of the fuzzers, which define NAME and print_counts. */
#ifndef RUNT_FUZZ_H
#define RUNT_FUZZ_H
#include <stdio.h>
#include <stdlib.h>

static void print_counts(void);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  atexit(print_counts);
  return 0;
}

static void demand(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, NAME ": %s\n", what);
  abort();
}
#endif
