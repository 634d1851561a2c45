/* kill-at PID NUMBER [COUNT]: kills a process when it enters that system call, or any one if NUMBER
 * is "any", for the COUNTth time (default: the first). Prints "ready" when it traces.
 */
#include <linux/ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4)
    return 2;
  pid_t pid = atoi(argv[1]);
  bool any = strcmp(argv[2], "any") == 0;
  unsigned long wanted = strtoul(argv[2], NULL, 10);
  unsigned long left = argc == 4 ? strtoul(argv[3], NULL, 10) : 1;
  int status;
  if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) ||
      ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid) {
    perror("ptrace");
    return 1;
  }
  puts("ready");
  fflush(stdout);
  for (int signal = 0;;) {
    if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal) ||
        waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
      return 1;
    signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      struct ptrace_syscall_info info;
      if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0 &&
          info.op == PTRACE_SYSCALL_INFO_ENTRY && (any || info.entry.nr == wanted) && --left == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, __WALL);
        return 0;
      }
    } else if (status >> 16 == 0)
      signal = WSTOPSIG(status);
  }
}
