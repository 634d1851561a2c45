/*
 * Memory for a process that lives a millisecond and has one thread: blocks are cut from large
 * chunks, a freed block waits in the list of its size, nothing goes back to the kernel. A chunk is
 * populated when it is made: one call instead of a page fault for every 4 KB, which is what most of
 * the time went to. What a snapshot keeps is cut from memory at a fixed address instead.
 */
#define _GNU_SOURCE
#include "memory.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
  HEADER = 8, /* before each block: its capacity */
  STEP = 16,  /* capacities are HEADER less than multiples of this up to SMALL, then than powers of
                 two */
  SMALL = 1024,
  CHUNK = 256 * 1024,
  CLASSES = SMALL / STEP + 64,
};

static uint8_t *next, *end; /* what is left of the newest chunk */
static void *free_lists[CLASSES];

static int gathering;
uint8_t *memory_gathered_end;

int memory_gather(void) {
  uint8_t *at = mmap(GATHERED_AT, GATHERED_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != GATHERED_AT)
    return -1;
  gathering = 1;
  next = at;
  end = at + GATHERED_SIZE;
  return 0;
}

void memory_scatter(void) {
  gathering = 0;
  memory_gathered_end = next;
  next = end = NULL;
  /* A page of the snapshot that is not written to need not be copied. */
  memset(free_lists, 0, sizeof free_lists);
}

static size_t *header(const void *block) { return (size_t *)(void *)((uintptr_t)block - HEADER); }

/* The whole size (header and capacity) of the block that holds `size` bytes, and its class; 0 when
 * there is none. */
static size_t whole_size(size_t size, unsigned *class) {
  if (size > SIZE_MAX / 4)
    return 0;
  size_t whole = (size + HEADER + STEP - 1) & ~(size_t)(STEP - 1);
  if (whole <= SMALL) {
    *class = (unsigned)(whole / STEP) - 1;
    return whole;
  }
  unsigned bits = 64 - (unsigned)__builtin_clzl(whole - 1);
  *class = SMALL / STEP + bits;
  return (size_t)1 << bits;
}

static int new_chunk(size_t least) {
  if (gathering)
    return -1;
  size_t size = least > CHUNK ? (least + 4095) & ~(size_t)4095 : CHUNK;
  uint8_t *chunk =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (chunk == MAP_FAILED)
    return -1;
  next = chunk;
  end = chunk + size;
  return 0;
}

static void *memory_malloc(JSMallocState *state, size_t size) {
  unsigned class = 0;
  size_t whole = whole_size(size, &class);
  if (whole == 0 || state->malloc_size + whole > state->malloc_limit)
    return NULL;
  void *block = free_lists[class];
  if (block)
    memcpy(&free_lists[class], block, sizeof block);
  else {
    if ((size_t)(end - next) < whole && new_chunk(whole) < 0)
      return NULL;
    block = next + HEADER;
    next += whole;
    *header(block) = whole - HEADER;
  }
  state->malloc_count++;
  state->malloc_size += whole;
  return block;
}

static void memory_free(JSMallocState *state, void *block) {
  if (!block)
    return;
  unsigned class = 0;
  size_t whole = whole_size(*header(block), &class);
  memcpy(block, &free_lists[class], sizeof block);
  free_lists[class] = block;
  state->malloc_count--;
  state->malloc_size -= whole;
}

/* Grows the newest block where it lies. */
static int grow_in_place(JSMallocState *state, void *block, size_t capacity, size_t whole) {
  if ((uint8_t *)block + capacity != next || (size_t)(end - next) < whole - HEADER - capacity)
    return 0;
  next = (uint8_t *)block - HEADER + whole;
  state->malloc_size += whole - HEADER - capacity;
  *header(block) = whole - HEADER;
  return 1;
}

static void *memory_realloc(JSMallocState *state, void *block, size_t size) {
  if (!block)
    return size == 0 ? NULL : memory_malloc(state, size);
  if (size == 0) {
    memory_free(state, block);
    return NULL;
  }
  size_t capacity = *header(block);
  if (size <= capacity)
    return block;
  unsigned class = 0;
  size_t whole = whole_size(size, &class);
  if (whole == 0)
    return NULL;
  if (grow_in_place(state, block, capacity, whole))
    return block;
  void *larger = memory_malloc(state, size);
  if (!larger)
    return NULL;
  memcpy(larger, block, capacity);
  memory_free(state, block);
  return larger;
}

static size_t memory_usable_size(const void *block) { return block ? *header(block) : 0; }

const JSMallocFunctions memory_functions = {memory_malloc, memory_free, memory_realloc,
                                            memory_usable_size};
