/* The execution domain. */
#include "../init.h"
#include <sys/personality.h>

/* Safe: of this process alone; what it changes is what uname(2) says of the machine, and how a
 * program of 32 bits is laid out. */
int op_personality(const struct op *op) {
  return personality((unsigned long)op->v[PERSONALITY_DOMAIN].num) < 0 ? fail("personality", NULL)
                                                                       : 0;
}
