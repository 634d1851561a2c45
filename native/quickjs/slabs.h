/* Small blocks of a process that stays, in pages of one size that are returned when empty. */
#ifndef RUNT_SLABS_H
#define RUNT_SLABS_H
#include <stddef.h>

/* Bytes of the largest block. */
enum { SLAB_LARGEST = 1024 };

/* Reserves addresses for the pages. Without them slab_alloc returns NULL. */
void slabs_begin(void);
/* A block of at least `size` bytes, 1 to SLAB_LARGEST, 16-byte aligned; NULL when there is none. */
void *slab_alloc(size_t size);
/* Whether slab_alloc made the block. The next two are only for such blocks. */
int slab_holds(const void *block);
/* Bytes that the block can hold. */
size_t slab_capacity(const void *block);
void slab_free(void *block);
/* Returns unused pages to the kernel. */
void slabs_trim(void);

#endif
