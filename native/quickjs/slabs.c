/* Small blocks of a process that stays.
 *
 * After work a process keeps few of its blocks, and they lie anywhere. musl's malloc keeps a
 * group of up to 64 KB for one of them: a shim with 0.9 MB in use held 2.2 MB after 300 execs.
 * Here a page of 4 KB holds blocks of one size, and an empty page is free for every size.
 * slabs_trim returns free pages to the kernel: one block holds one page at most. */
#define _GNU_SOURCE
#include "slabs.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
  UNIT = 16, /* sizes are multiples of it, and a class is that factor */
  CLASSES = SLAB_LARGEST / UNIT + 1,
  PAGE = 4096,
  PAGES = 0xffff, /* 256 MB of addresses */
  NONE = PAGES,
  GROWTH = 64, /* pages that become writable at a time, by one system call */
};

/* State of a page, stored outside it: a page that was returned keeps nothing. */
struct page {
  uint16_t class; /* of its blocks; 0 for a free page */
  uint16_t used;  /* its blocks in use; of a free page: whether it may hold memory */
  uint16_t cut;   /* its blocks that were ever in use */
  uint16_t freed; /* the last freed block, in UNITs from the page's start, plus 1; 0: none. Its
                     first bytes name the one before in the same way */
  uint16_t next, previous; /* pages of the class with room */
};

static struct page *pages;   /* NULL without reserved addresses */
static uint8_t *base;        /* of page 0 */
static unsigned writable;    /* usable pages from base on */
static unsigned lowest_free; /* no page below it is free */
static uint16_t roomy[CLASSES];

void slabs_begin(void) {
  if (pages)
    return;
  size_t size = (size_t)PAGES * PAGE, known = PAGES * sizeof *pages;
  /* Without access they count only towards the limit of addresses. */
  void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return;
  void *table = mmap(NULL, known, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED) {
    munmap(at, size);
    return;
  }
  /* In a huge page one block would hold 2 MB. A kernel without huge pages refuses this. */
  (void)madvise(at, size, MADV_NOHUGEPAGE);
  (void)madvise(table, known, MADV_NOHUGEPAGE);
  for (unsigned class = 0; class < CLASSES; class ++)
    roomy[class] = NONE;
  base = at;
  pages = table;
}

int slab_holds(const void *block) {
  return (uintptr_t)block - (uintptr_t)base < (size_t)writable * PAGE;
}

static unsigned page_of(const void *block) {
  return (unsigned)(((uintptr_t)block - (uintptr_t)base) / PAGE);
}

size_t slab_capacity(const void *block) { return (size_t)pages[page_of(block)].class * UNIT; }

static unsigned blocks_of(unsigned class) { return PAGE / (class * UNIT); }

/* Puts a page before the others of its class. */
static void link_page(unsigned at) {
  struct page *page = &pages[at];
  uint16_t *first = &roomy[page->class];
  page->previous = NONE;
  page->next = *first;
  if (*first != NONE)
    pages[*first].previous = (uint16_t)at;
  *first = (uint16_t)at;
}

static void unlink_page(unsigned at) {
  const struct page *page = &pages[at];
  if (page->previous != NONE)
    pages[page->previous].next = page->next;
  else
    roomy[page->class] = page->next;
  if (page->next != NONE)
    pages[page->next].previous = page->previous;
}

/* A free page for a class: the lowest, so that the high ones stay free. NONE when all are in
 * use. */
static unsigned take_page(unsigned class) {
  unsigned at = lowest_free;
  while (at < writable && pages[at].class)
    at++;
  lowest_free = at;
  if (at == writable) {
    unsigned count = PAGES - writable < GROWTH ? PAGES - writable : GROWTH;
    if (count == 0 ||
        mprotect(base + (size_t)at * PAGE, (size_t)count * PAGE, PROT_READ | PROT_WRITE) < 0)
      return NONE;
    writable += count;
  }
  pages[at] = (struct page){.class = (uint16_t) class};
  link_page(at);
  return at;
}

void *slab_alloc(size_t size) {
  unsigned class = (unsigned)((size + UNIT - 1) / UNIT);
  if (!pages || class == 0 || class >= CLASSES)
    return NULL;
  unsigned at = roomy[class];
  if (at == NONE)
    at = take_page(class);
  if (at == NONE)
    return NULL;
  struct page *page = &pages[at];
  uint8_t *block = base + (size_t)at * PAGE;
  if (page->freed) {
    block += (size_t)(page->freed - 1) * UNIT;
    memcpy(&page->freed, block, sizeof page->freed);
  } else {
    block += (size_t)page->cut++ * class * UNIT;
  }
  if (++page->used == blocks_of(class))
    unlink_page(at);
  return block;
}

void slab_free(void *block) {
  unsigned at = page_of(block);
  struct page *page = &pages[at];
  if (page->used-- == blocks_of(page->class))
    link_page(at);
  if (page->used > 0) {
    memcpy(block, &page->freed, sizeof page->freed);
    page->freed = (uint16_t)(((uintptr_t)block & (PAGE - 1)) / UNIT + 1);
    return;
  }
  unlink_page(at);
  *page = (struct page){.used = 1};
  if (at < lowest_free)
    lowest_free = at;
}

void slabs_trim(void) {
  for (unsigned from = lowest_free, to; from < writable; from = to + 1) {
    for (to = from; to < writable && !pages[to].class && pages[to].used; to++)
      pages[to].used = 0;
    if (to > from)
      (void)madvise(base + (size_t)from * PAGE, (size_t)(to - from) * PAGE, MADV_DONTNEED);
  }
}
