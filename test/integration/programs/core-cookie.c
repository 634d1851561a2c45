/* Prints the cookie of core scheduling of a process: core-cookie PID; "error ERRNO" where the
 * kernel has none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

int main(int argc, char **argv) {
  unsigned long long cookie = 0;
  /* PR_SCHED_CORE, _GET, of one thread. */
  if (argc != 2 || prctl(62, 0, atoi(argv[1]), 0, &cookie))
    printf("error %d\n", errno);
  else
    printf("%llu\n", cookie);
  return 0;
}
