/* Counts system calls: syscalls COMMAND [+ COMMAND | + reap]…
 *
 * Runs the commands one after the other, `reap` waits for all that they left behind, and prints to
 * descriptor 3 the number of system calls that they and all processes below them make, each from
 * its command's execve on. The status is 0 if that of each command is. Processes that are left at
 * the end are killed with this one. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "syscalls: %s: %s\n", what, strerror(errno));
  _exit(125);
}

static unsigned long entries;

/* Starts a command, which stops before its execve. Its calls until then are not counted. */
static pid_t start(char **argv) {
  const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
  int status;
  const pid_t pid = fork();
  if (pid < 0)
    die("fork");
  if (pid == 0) {
    close(3);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGSTOP))
      die("trace");
    execv(argv[0], argv);
    die(argv[0]);
  }
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
      ptrace(PTRACE_SETOPTIONS, pid, 0, options) < 0 || ptrace(PTRACE_CONT, pid, 0, 0) < 0)
    die("trace");
  return pid;
}

/* Handles stops until `program` has ended, or everything if it is -1. Returns its status. */
static int follow(pid_t program) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid == program)
        return status;
      continue;
    }
    int deliver = 0;
    const int signal = WSTOPSIG(status), event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) {
      struct __ptrace_syscall_info info;
      if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 &&
          info.op == PTRACE_SYSCALL_INFO_ENTRY)
        entries++;
    } else if (event == 0 && signal != SIGSTOP && signal != SIGTRAP) {
      deliver = signal;
    }
    /* ESRCH: it was killed meanwhile. */
    if (ptrace(PTRACE_SYSCALL, pid, 0, deliver) < 0 && errno != ESRCH)
      die("continue");
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: syscalls COMMAND [+ COMMAND | + reap]…, with descriptor 3 open\n");
    return 2;
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
    die("PR_SET_CHILD_SUBREAPER");
  for (char **command = argv + 1; *command;) {
    char **end = command;
    while (*end && strcmp(*end, "+") != 0)
      end++;
    char **next = *end ? end + 1 : end;
    *end = NULL;
    const int status = follow(*command && strcmp(*command, "reap") == 0 ? -1 : start(command));
    if (status != 0) {
      fprintf(stderr, "syscalls: %s: status 0x%x\n", *command, (unsigned)status);
      return 1;
    }
    command = next;
  }
  dprintf(3, "%lu\n", entries);
  return 0;
}
