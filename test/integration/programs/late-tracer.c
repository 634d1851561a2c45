/* late-tracer PID: traces a process, and reaps it only 100 ms after it has ended, as a busy
 * debugger does. Prints "ready" when it traces. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  pid_t pid = atoi(argv[1]);
  struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
  if (process.fd < 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL)) {
    perror("late-tracer");
    return 1;
  }
  puts("ready");
  fflush(stdout);
  if (poll(&process, 1, 60000) != 1)
    return 1;
  /* The parent looks meanwhile. */
  usleep(100000);
  return waitpid(pid, NULL, __WALL) == pid ? 0 : 1;
}
