/* Allocator of QuickJS: one mode for a command, one for a process that stays. */
#define _GNU_SOURCE
#include "memory.h"
#include "slabs.h"
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A command lives a millisecond: blocks are cut from large chunks, a freed block goes to the
 * list of its size, and nothing returns to the kernel. A chunk is populated when it is made:
 * one call instead of a page fault for every 4 KB, which took most of the time. Blocks of a
 * snapshot are cut from memory at a fixed address instead. A block larger than a chunk, such as the
 * text of a large config, has a mapping of its own, of its size, which ends with the block.
 *
 * A server cannot do so: a block that grows in place takes fresh memory although the lists are
 * full, and a shim grew by 15 KB for every container. So a process that stays calls
 * memory_long_lived. From then on slabs.c makes small blocks, and libc's malloc the others.
 * Earlier blocks stay valid: their address identifies them, and they return to the lists for
 * reuse. */
enum {
  HEADER = 8, /* before each block of a chunk: its capacity */
  STEP = 8,   /* capacities are HEADER less than multiples of this up to SMALL, then than four
                 steps for each power of two */
  LEAST = 16, /* a free block links to the next one */
  SMALL = 1024,
  CHUNK = 64 * 1024,
  CLASSES = SMALL / STEP + 4 * 64,
  PAGE = 4096,
  /* The second mode returns the pages of a freed block of this size (a large config). */
  DISCARDED = 64 * 1024,
};

struct chunk {
  struct chunk *older;
  uint8_t *end;
};

static struct chunk *newest;
static uint8_t *next, *end; /* the rest of the newest chunk */
static void *free_lists[CLASSES];
static int long_lived;
static const JSMallocState *counted; /* the state of the one runtime */

/* A block with a mapping of its own; before its header. */
struct mapped {
  struct mapped *older, *newer;
  size_t length; /* of the mapping */
};
enum { MAPPED_HEAD = sizeof(struct mapped) + HEADER };
static struct mapped *newest_mapped;

static int gathering;
uint8_t *memory_gathered_end;

int memory_gather(void) {
  uint8_t *at = mmap(GATHERED_AT, GATHERED_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != GATHERED_AT)
    return -1; /* cppcheck-suppress memleak ; a failed mmap(2) */
  gathering = 1;
  next = at;
  end = at + GATHERED_SIZE;
  return 0;
}

void memory_scatter(void) {
  gathering = 0;
  memory_gathered_end = next;
  next = end = NULL;
  /* Drop freed blocks: a page of the snapshot without writes is not copied. */
  memset(free_lists, 0, sizeof free_lists);
}

static size_t *header(const void *block) { return (size_t *)(void *)((uintptr_t)block - HEADER); }

/* The whole size (header and capacity) of a block for `size` bytes, and its class; 0 when there is
 * none. */
static size_t whole_size(size_t size, unsigned *class) {
  if (size > SIZE_MAX / 4)
    return 0;
  size_t whole = (size + HEADER + STEP - 1) & ~(size_t)(STEP - 1);
  if (whole < LEAST)
    whole = LEAST;
  if (whole <= SMALL) {
    *class = (unsigned)(whole / STEP) - 1;
    return whole;
  }
  unsigned shift = 61 - (unsigned)__builtin_clzl(whole - 1); /* of a quarter of the power below */
  size_t steps = ((whole - 1) >> shift) + 1;                 /* 5 to 8 */
  *class = SMALL / STEP + 4 * shift + (unsigned)steps - 5;
  return steps << shift;
}

/* Whether slabs.c made the block. A command, which spends a fifth of its instructions on blocks,
 * does not ask. */
static int in_slab(const void *block) { return long_lived && slab_holds(block); }

/* Whether a block is of the snapshot; none is before that is complete. */
static int is_gathered(const void *block) {
  const uint8_t *at = block;
  return at >= (uint8_t *)GATHERED_AT && at < memory_gathered_end;
}

static struct mapped *mapping_of(const void *block) {
  return (struct mapped *)((uintptr_t)block - MAPPED_HEAD);
}

/* Whether a block that is_cut has a mapping of its own: no other one is as large, but for those of
 * the snapshot. */
static int is_mapped(const void *block) {
  return *header(block) >= CHUNK && !gathering && !is_gathered(block);
}

/* Whether a block that is not of slabs.c was cut from the snapshot's memory or from a chunk or has
 * a mapping of its own, and was not made by libc. */
static int is_cut(const void *block) {
  const uint8_t *at = block;
  if (is_gathered(block))
    return 1;
  for (const struct mapped *m = newest_mapped; m; m = m->older)
    if (m == mapping_of(block))
      return 1;
  for (const struct chunk *c = newest; c; c = c->older)
    if (at >= (const uint8_t *)c && at < c->end)
      return 1;
  return 0;
}

static int new_chunk(size_t least) {
  if (gathering)
    return -1;
  size_t size = sizeof(struct chunk) + least;
  size = size > CHUNK ? (size + PAGE - 1) & ~(size_t)(PAGE - 1) : CHUNK;
  uint8_t *at =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED)
    return -1;
  struct chunk *chunk = (struct chunk *)(void *)at;
  *chunk = (struct chunk){newest, at + size};
  newest = chunk;
  next = at + sizeof *chunk;
  end = at + size;
  return 0;
}

static size_t mapped_length(size_t size) {
  return (MAPPED_HEAD + size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Makes the neighbours in the list point to a mapping at its address. Returns its block. */
static void *place_mapped(struct mapped *m, size_t length) {
  m->length = length;
  if (m->newer)
    m->newer->older = m;
  else
    newest_mapped = m;
  if (m->older)
    m->older->newer = m;
  void *block = (uint8_t *)m + MAPPED_HEAD;
  *header(block) = length - MAPPED_HEAD;
  return block;
}

static void *map_block(size_t size) {
  size_t length = mapped_length(size);
  /* Not populated: a buffer may stay half empty. */
  struct mapped *m = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED)
    return NULL;
  *m = (struct mapped){.older = newest_mapped};
  return place_mapped(m, length);
}

static void unmap_block(void *block) {
  struct mapped *m = mapping_of(block);
  if (m->newer)
    m->newer->older = m->older;
  else
    newest_mapped = m->older;
  if (m->older)
    m->older->newer = m->newer;
  munmap(m, m->length);
}

/* Gives a mapped block another size, without a copy. NULL when memory is exhausted. */
static void *remap_block(JSMallocState *state, void *block, size_t size) {
  struct mapped *m = mapping_of(block);
  size_t before = m->length, length = mapped_length(size);
  if (length == before)
    return block;
  if (length > before && state->malloc_size + (length - before) > state->malloc_limit)
    return NULL;
  m = mremap(m, before, length, MREMAP_MAYMOVE);
  if (m == MAP_FAILED)
    return length < before ? block : NULL;
  state->malloc_size += length - before;
  return place_mapped(m, length);
}

/* Takes a block of a class from its list. */
static void *reuse(unsigned class) {
  void *block = free_lists[class];
  if (block)
    memcpy(&free_lists[class], block, sizeof(void *));
  return block;
}

/* Puts a block into the list of its class. */
static inline void put_back(void *block, unsigned class) {
  memcpy(block, &free_lists[class], sizeof(void *));
  free_lists[class] = block;
}

/* Returns the pages inside a large free block; its first bytes link it to the next. */
static void discard(void *block, size_t capacity) {
  uintptr_t from = ((uintptr_t)block + sizeof(void *) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
  uintptr_t to = ((uintptr_t)block + capacity) & ~(uintptr_t)(PAGE - 1);
  if (capacity >= DISCARDED)
    madvise((void *)from, to - from, MADV_DONTNEED);
}

void memory_long_lived(void) {
  if (long_lived)
    return;
  long_lived = 1;
  for (unsigned class = SMALL / STEP; class < CLASSES; class ++)
    for (void *block = free_lists[class]; block; memcpy(&block, block, sizeof(void *)))
      discard(block, *header(block));
  /* The rest of the chunk: libc may get the same addresses. */
  uint8_t *unused = (uint8_t *)(((uintptr_t)next + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
  if (newest && unused < end && munmap(unused, (size_t)(end - unused)) == 0)
    newest->end = unused;
  next = end = NULL;
  slabs_begin();
}

size_t memory_in_use(void) { return counted ? counted->malloc_size : 0; }

/* A block from the rest of the chunk; NULL when that is too short. */
static inline void *fresh(size_t whole) {
  if ((size_t)(end - next) < whole)
    return NULL;
  void *block = next + HEADER;
  next += whole;
  *header(block) = whole - HEADER;
  return block;
}

/* A new or freed block; NULL when memory is exhausted. */
static void *cut(size_t whole, unsigned class) {
  void *block = reuse(class);
  if (!block)
    block = fresh(whole);
  return block || new_chunk(whole) < 0 ? block : fresh(whole);
}

static size_t memory_usable_size(const void *block) {
  if (!block)
    return 0;
  if (!long_lived)
    return *header(block);
  if (slab_holds(block))
    return slab_capacity(block);
  return is_cut(block) ? *header(block) : malloc_usable_size((void *)(uintptr_t)block);
}

/* Bytes that a block adds to `malloc_size`. libc's header is about as long. */
static inline size_t cost(const void *block) {
  return long_lived ? memory_usable_size(block) + (slab_holds(block) ? 0 : HEADER)
                    : *header(block) + HEADER;
}

/* A new block in a process that stays; NULL when memory is exhausted. */
static void *make_lasting(size_t size, unsigned class) {
  void *block = reuse(class);
  if (!block && size > 0 && size <= SLAB_LARGEST)
    block = slab_alloc(size);
  return block ? block : malloc(size);
}

/* A small block of a command, from a list or the chunk; NULL when neither has it. */
static inline void *cut_quickly(JSMallocState *state, size_t size) {
  if (long_lived || size > SMALL - HEADER)
    return NULL;
  size_t whole = size < LEAST - HEADER ? LEAST : (size + HEADER + STEP - 1) & ~(size_t)(STEP - 1);
  void *block = reuse((unsigned)(whole / STEP) - 1);
  if (!block)
    block = fresh(whole);
  if (!block)
    return NULL;
  state->malloc_count++;
  state->malloc_size += whole;
  return block;
}

static __attribute__((noinline)) void *make_block(JSMallocState *state, size_t size) {
  unsigned class = 0;
  size_t whole = whole_size(size, &class);
  if (whole == 0 || state->malloc_size + whole > state->malloc_limit)
    return NULL;
  void *block = long_lived                    ? make_lasting(size, class)
                : whole > CHUNK && !gathering ? map_block(size)
                                              : cut(whole, class);
  if (!block)
    return NULL;
  counted = state;
  state->malloc_count++;
  state->malloc_size += cost(block);
  return block;
}

/* Returns a small block of a command to its list; whether it was one. */
static inline int free_quickly(JSMallocState *state, void *block) {
  if (long_lived || is_gathered(block))
    return 0;
  size_t whole = *header(block) + HEADER;
  if (whole > SMALL)
    return 0;
  state->malloc_count--;
  state->malloc_size -= whole;
  put_back(block, (unsigned)(whole / STEP) - 1);
  return 1;
}

static void *memory_malloc(JSMallocState *state, size_t size) {
  void *quick = cut_quickly(state, size);
  return quick ? quick : make_block(state, size);
}

static __attribute__((noinline)) void free_block(JSMallocState *state, void *block) {
  state->malloc_count--;
  state->malloc_size -= cost(block);
  if (in_slab(block)) {
    slab_free(block);
    return;
  }
  if (long_lived && !is_cut(block)) {
    free(block);
    return;
  }
  /* A new object there would count as immortal: a shape that nothing counts would be changed under
   * the objects that share it. */
  if (is_gathered(block))
    return;
  if (is_mapped(block)) {
    unmap_block(block);
    return;
  }
  unsigned class = 0;
  whole_size(*header(block), &class);
  put_back(block, class);
  if (long_lived)
    discard(block, *header(block));
}

static void memory_free(JSMallocState *state, void *block) {
  if (block && !free_quickly(state, block))
    free_block(state, block);
}

/* Grows the newest block in place. */
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
  size_t capacity = memory_usable_size(block);
  if (long_lived && !in_slab(block) && !is_cut(block) && size > SLAB_LARGEST) {
    size_t before = cost(block);
    if (size > SIZE_MAX / 4 || state->malloc_size - before + size > state->malloc_limit)
      return NULL;
    block = realloc(block, size);
    if (block)
      state->malloc_size += cost(block) - before;
    return block;
  }
  int mapped = !long_lived && is_mapped(block);
  if (mapped && size > CHUNK && size <= SIZE_MAX / 4)
    return remap_block(state, block, size);
  /* In a process that stays, a block that shrinks to half its capacity moves; and one with a
   * mapping, when it needs that no longer. */
  if (!mapped && size <= capacity && (!long_lived || size > capacity / 2))
    return block;
  unsigned class = 0;
  size_t whole = whole_size(size, &class);
  if (whole == 0)
    return NULL;
  /* What grows will grow again: to a power of two, so that it moves less often. */
  if (whole > SMALL && whole <= CHUNK && size > capacity && !long_lived) {
    whole = (size_t)1 << (64 - __builtin_clzl(whole - 1));
    size = whole - HEADER;
    whole_size(size, &class);
  }
  /* Not while a freed block has that size: an object that is made and freed again and again, and
   * grows meanwhile, would take fresh memory each time. */
  if (!in_slab(block) && !free_lists[class] && grow_in_place(state, block, capacity, whole))
    return block;
  void *moved = memory_malloc(state, size);
  if (!moved)
    return size <= capacity ? block : NULL;
  memcpy(moved, block, size < capacity ? size : capacity);
  memory_free(state, block);
  return moved;
}

const JSMallocFunctions memory_functions = {memory_malloc, memory_free, memory_realloc,
                                            memory_usable_size};
