/* Counters of a coverage build; hack/coverage/instrument.mjs defines POINTS_SIZE. */
#ifndef RUNT_COUNTERS_H
#define RUNT_COUNTERS_H
#include <stddef.h>
#include <stdint.h>

__attribute__((visibility("hidden"))) void __sanitizer_cov_trace_pc(void);

/* The counters of TypeScript; NULL when memory is exhausted. */
__attribute__((visibility("default"))) uint8_t *runt_coverage_points(void);
#endif
