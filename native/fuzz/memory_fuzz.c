/* libFuzzer target of the allocator (memory.c, slabs.c).
 *
 * The bytes are the life of a process: blocks are made, grown, shrunk and freed while a
 * snapshot is gathered, in a command, and in a long-lived process. A model has each block's
 * size and content: no block changes when another one does, and in the end no bytes count as
 * in use. Without libFuzzer (-DRANDOM), memory_fuzz LIVES SEED makes its own lives. */
#include "../quickjs/memory.c"
#include <stdio.h>

enum { BLOCKS = 192 };

static struct {
  uint8_t *at;
  size_t size;
  uint8_t mark;
} blocks[BLOCKS];
static JSMallocState state;
static uint8_t marks;
static unsigned long lives, made, moved, freed, reused, refused;

static void demand(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "memory_fuzz: %s\n", what);
  abort();
}

static uint8_t content(unsigned i, size_t at) { return (uint8_t)(blocks[i].mark + at * 31); }

static void fill(unsigned i, size_t from) {
  for (size_t at = from; at < blocks[i].size; at++)
    blocks[i].at[at] = content(i, at);
}

static void check(unsigned i, size_t size) {
  for (size_t at = 0; at < size; at++)
    demand(blocks[i].at[at] == content(i, at), "a block's content has changed");
}

/* Resets memory.c to its state at the program's start. */
static void begin(void) {
  for (struct chunk *c = newest; c;) {
    struct chunk *older = c->older;
    munmap(c, (size_t)(c->end - (uint8_t *)c));
    c = older;
  }
  while (newest_mapped)
    unmap_block((uint8_t *)newest_mapped + MAPPED_HEAD);
  if (memory_gathered_end || gathering)
    munmap(GATHERED_AT, GATHERED_SIZE);
  memset(free_lists, 0, sizeof free_lists);
  newest = NULL;
  next = end = memory_gathered_end = NULL;
  gathering = long_lived = 0;
  state = (JSMallocState){.malloc_limit = (size_t)64 << 20};
  lives++;
}

static void resize(unsigned i, size_t size) {
  size_t before = blocks[i].size;
  uint8_t *old = blocks[i].at;
  uint8_t *at = memory_functions.js_realloc(&state, old, size);
#ifdef PLANT_CRASH
  /* Returns a block that is in use, once one of these sizes has moved. */
  if (at && at != old && size > 3000 && i > 0 && blocks[i - 1].size >= size)
    at = blocks[i - 1].at;
#endif
  if (!at && size > 0) {
    refused++;
    return;
  }
  if (old && size == 0)
    freed++;
  moved += old && at && at != old;
  made += !old && at;
  blocks[i].at = at;
  blocks[i].size = at ? size : 0;
  if (!at)
    return;
  demand(memory_functions.js_malloc_usable_size(at) >= size, "a block is smaller than was asked");
  check(i, size < before ? size : before);
  if (!old)
    blocks[i].mark = ++marks;
  fill(i, size < before ? size : before);
}

static void make(unsigned i, size_t size) {
  size_t count = state.malloc_count;
  void *listed = NULL;
  unsigned class = 0;
  if (whole_size(size, &class))
    listed = free_lists[class];
  blocks[i].at = memory_functions.js_malloc(&state, size);
  if (!blocks[i].at) {
    refused++;
    demand(state.malloc_count == count, "a block that was refused counts");
    return;
  }
  reused += blocks[i].at == listed;
  made++;
  demand(((uintptr_t)blocks[i].at & 7) == 0, "a block is not aligned");
  demand(memory_functions.js_malloc_usable_size(blocks[i].at) >= size,
         "a block is smaller than was asked");
  blocks[i].size = size;
  blocks[i].mark = ++marks;
  fill(i, 0);
}

static void drop(unsigned i) {
  check(i, blocks[i].size);
  memory_functions.js_free(&state, blocks[i].at);
  blocks[i].at = NULL;
  blocks[i].size = 0;
  freed++;
}

/* Mostly small ones, as in a virtual machine; some have a chunk of their own. */
static size_t size_of(const uint8_t *bytes) {
  size_t low = bytes[0], high = bytes[1];
  if (high < 160)
    return 1 + low;
  if (high < 240)
    return 1 + (low | (high & 31) << 8);
  return 1 + low * (high & 15) * 160;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  begin();
  if (size && data[0] & 1)
    demand(memory_gather() == 0, "nothing can be gathered");
  for (size_t at = 1; at + 4 <= size; at += 4) {
    const uint8_t *op = data + at;
    unsigned i = op[1] % BLOCKS;
    if (op[0] == 255 && gathering)
      memory_scatter();
    else if (op[0] >= 254 && !gathering)
      memory_long_lived();
    else if (op[0] == 252)
      slabs_trim();
    else if (!blocks[i].at && op[0] < 200)
      make(i, size_of(op + 2));
    else if (op[0] < 100)
      drop(i);
    else
      resize(i, op[0] == 253 ? 0 : size_of(op + 2));
  }
  for (unsigned i = 0; i < BLOCKS; i++)
    if (blocks[i].at)
      drop(i);
  demand(state.malloc_count == 0, "blocks are counted that were freed");
  demand(state.malloc_size == 0, "bytes are counted that were freed");
  return 0;
}

static void print_counts(void) {
  fprintf(
      stderr,
      "memory_fuzz: %lu lives, %lu blocks made, %lu moved, %lu freed, %lu reused, %lu refused\n",
      lives, made, moved, freed, reused, refused);
}

#ifdef RANDOM
int main(int argc, char **argv) {
  static uint8_t life[1 + 4 * 6000];
  unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
  unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
  srandom((unsigned)seed);
  for (unsigned long n = 0; n < count; n++) {
    /* Changes the mode only now and then, so that each lasts thousands of steps. */
    for (size_t i = 0; i < sizeof life; i++)
      life[i] = (uint8_t)(random() >> 7);
    for (size_t i = 1; i + 4 <= sizeof life; i += 4)
      if (life[i] >= 254 && random() % 20)
        life[i] = (uint8_t)(random() % 254);
    LLVMFuzzerTestOneInput(life, sizeof life);
  }
  print_counts();
  return 0;
}
#else
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  atexit(print_counts);
  return 0;
}
#endif
