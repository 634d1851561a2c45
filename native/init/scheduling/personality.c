/* The execution domain. */
#include "../init.h"
#include <sys/personality.h>

/* Safe: for this process only; it changes the machine that uname(2) reports, and the memory layout
 * of a 32-bit program. */
int op_personality(const struct op *op) {
  return personality((unsigned long)op->v[PERSONALITY_DOMAIN].num) < 0 ? fail("personality", NULL)
                                                                       : 0;
}
