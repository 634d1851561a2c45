/* swap A B: exchanges two names forever, with pauses of random length up to some microseconds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  enum { EXCHANGE = 2, PAUSE_MAX = 3000 }; /* RENAME_EXCHANGE */
  if (argc != 3)
    return 125;
  srand((unsigned)getpid());
  for (;;) {
    if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], EXCHANGE)) {
      perror("renameat2");
      return 1;
    }
    for (volatile int pause = rand() % PAUSE_MAX; pause > 0; pause--)
      ;
  }
}
