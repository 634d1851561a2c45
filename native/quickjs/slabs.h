/* Small blocks of a process that stays: pages of blocks of one size, which go back when they are
 * empty. */
#ifndef RUNT_SLABS_H
#define RUNT_SLABS_H
#include <stddef.h>

/* Bytes of the largest block. */
enum { SLAB_LARGEST = 1024 };

/* Sets addresses aside for the pages. Without them slab_alloc gives nothing. */
void slabs_begin(void);
/* A block of at least `size` bytes, 1 to SLAB_LARGEST, 16-byte aligned; NULL when there is none. */
void *slab_alloc(size_t size);
/* Whether slab_alloc gave the block. The next two are for such ones. */
int slab_holds(const void *block);
/* Bytes that the block can hold. */
size_t slab_capacity(const void *block);
void slab_free(void *block);
/* Gives the kernel back what no block uses. */
void slabs_trim(void);

#endif
