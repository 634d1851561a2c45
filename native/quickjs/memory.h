/* The allocator that QuickJS runs on. */
#ifndef RUNT_MEMORY_H
#define RUNT_MEMORY_H
#include "quickjs.h"

extern const JSMallocFunctions memory_functions;

#endif
