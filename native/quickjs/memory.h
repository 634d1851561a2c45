/* The allocator that QuickJS runs on. */
#ifndef RUNT_MEMORY_H
#define RUNT_MEMORY_H
#include "quickjs.h"
#include <stddef.h>
#include <stdint.h>

extern const JSMallocFunctions memory_functions;

/* Where blocks lie, side by side, that a snapshot is to hold (snapshot.c): far from what the kernel
 * places by itself, below 4 GiB. */
#define GATHERED_AT ((void *)0x40000000)
#define GATHERED_SIZE ((size_t)8 << 20)

/* From here on blocks lie there, as long as there is room. -1 when the place is taken. */
int memory_gather(void);
/* Ends it: what was made stays, what comes is fresh memory. */
void memory_scatter(void);
/* For a process that stays: from here on memory that is not in use goes back to the kernel. */
void memory_long_lived(void);
/* Bytes that the runtime has allocated and not freed. */
size_t memory_in_use(void);
/* Where the last of those blocks ended; snapshot.c reads it, by its name. */
extern uint8_t *memory_gathered_end;

#endif
