/* exchange A B: exchanges two names as fast as it can until SIGTERM, then prints how often. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static void on_term(int signal) { stop = signal; }

int main(int argc, char **argv) {
  enum { EXCHANGE = 2 }; /* RENAME_EXCHANGE */
  unsigned long done = 0;
  if (argc != 3)
    return 125;
  signal(SIGTERM, on_term);
  while (!stop) {
    if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], EXCHANGE)) {
      perror("renameat2");
      return 1;
    }
    done++;
    if (done % 16 == 0)
      usleep(20); /* Leaves the victim some time in each state. */
  }
  printf("%lu\n", done);
  return 0;
}
