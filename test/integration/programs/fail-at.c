/* fail-at REPORT N ERRNO NAME -- PROGRAM ARGS…: runs a program, and fails one system call.
 *
 * It counts the calls, from 0, of processes below it whose executable has NAME in its path. Call N
 * fails with ERRNO. REPORT gets a line with the number of each system call up to that one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls that do not return, or do not fail as runt-init makes them; and close(2), which closes even
 * if it fails. */
static int cannot_fail(int call) {
  switch (call) {
  case SYS_rt_sigreturn:
  case SYS_set_tid_address:
  case SYS_umask:
  case SYS_wait4:
  case SYS_waitid:
  case SYS_close:
  case SYS_rt_sigaction:
  case SYS_rt_sigprocmask:
#ifdef SYS_arch_prctl
  case SYS_arch_prctl:
#endif
    return 1;
  default:
    return 0;
  }
}

static int runs(pid_t pid, const char *name) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/%d/exe", pid);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  return strstr(path, name) != NULL;
}

/* Answers each call until no process has the filter. Returns the exit status. */
static int answer(int listener, char **argv) {
  int report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  unsigned long wanted = strtoul(argv[2], NULL, 10), seen = 0;
  struct pollfd ready = {.fd = listener, .events = POLLIN};
  while (report >= 0 && poll(&ready, 1, -1) >= 0 && !(ready.revents & POLLHUP)) {
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
      continue; /* ENOENT: the process was killed. */
    struct seccomp_notif_resp response = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (seen <= wanted && !cannot_fail(call.data.nr) && runs((pid_t)call.pid, argv[4])) {
      dprintf(report, "%d\n", call.data.nr);
      if (seen++ == wanted)
        response = (struct seccomp_notif_resp){.id = call.id, .error = -atoi(argv[3])};
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
  return report < 0 ? 125 : 0;
}

/* Executes the program under the filter; `listener` becomes the descriptor of its calls, or -1. */
static _Noreturn void start(volatile int *listener, char **argv) {
  /* exit(2) is not asked for: libc would repeat it for ever if this program were killed (ENOSYS).
   */
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  *listener =
      (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
  if (*listener < 0)
    perror("fail-at: seccomp");
  else
    execvp(argv[0], argv);
  _exit(125);
}

int main(int argc, char **argv) {
  if (argc < 7 || strcmp(argv[5], "--") != 0) {
    fprintf(stderr, "usage: fail-at REPORT N ERRNO NAME -- PROGRAM ARGS…\n");
    return 125;
  }
  volatile int *listener =
      mmap(NULL, sizeof *listener, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (listener == MAP_FAILED)
    return 125;
  /* The three processes share one table of descriptors, until the program's execve(2). */
  pid_t program = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (program == 0)
    start(listener, argv + 6);
  pid_t answering = program < 0 ? -1 : (pid_t)syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
  if (answering == 0) {
    while (!*listener)
      sched_yield();
    int own = fcntl(*listener, F_DUPFD_CLOEXEC, 1000);
    syscall(SYS_close_range, 0, own - 1, 2); /* CLOSE_RANGE_UNSHARE */
    _exit(own < 0 ? 125 : answer(own, argv));
  }
  int status;
  if (answering < 0 || waitpid(program, &status, 0) != program)
    return 125;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
