/* core-cookie PID: prints the core scheduling cookie of a process, or "error ERRNO" if the
 * kernel has no core scheduling. */
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
