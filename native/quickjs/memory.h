/* Allocator of QuickJS. */
#ifndef RUNT_MEMORY_H
#define RUNT_MEMORY_H
#include "quickjs.h"
#include <stddef.h>
#include <stdint.h>

extern const JSMallocFunctions memory_functions;

/* Address of the blocks of a snapshot (snapshot.c), side by side: below 4 GiB, far from the
 * kernel's own mappings. The objects there are immortal (hack/quickjs-immortal.mjs). */
#define GATHERED_AT ((void *)JS_IMMORTAL_AT)
#define GATHERED_SIZE ((size_t)8 << 20)

/* From now on blocks are cut there, while there is room. -1 when the address is taken. */
int memory_gather(void);
/* Ends that: existing blocks stay, new ones use fresh memory. */
void memory_scatter(void);
/* For a process that stays: from now on unused memory returns to the kernel. */
void memory_long_lived(void);
/* Bytes that the runtime has allocated and not freed. */
size_t memory_in_use(void);
/* End of the last of those blocks; snapshot.c reads it by its name. */
extern uint8_t *memory_gathered_end;

#endif
