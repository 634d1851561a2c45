/* fail-at REPORT ROLES CALL N ACTION [--after FILE] -- PROGRAM ARGS…: runs a program, and fails one
 * system call of its processes, or kills the process that makes it.
 *
 * ROLES are processes, with commas: `runt` (PROGRAM itself), `child` (another process with its
 * executable), `init` and `supervisor` (of runt-init). CALL is a name (see name_of), or `any`. The
 * calls of these are counted from 0. Number N is answered by ACTION: an errno (a number), `kill`
 * (SIGKILL), or `none`. With --after nothing is counted until FILE exists. REPORT gets a line "ROLE
 * NAME" for each call up to that one, then "hit". */
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

#include "calls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

struct faults {
  const char *report, *roles, *call, *action, *after;
  unsigned long wanted;
};

static size_t link_of(pid_t pid, const char *name, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  ssize_t length = readlink(path, text, size - 1);
  text[length < 0 ? 0 : length] = 0;
  return length < 0 ? 0 : (size_t)length;
}

/* The role of a process; NULL for a program of the container, a hook or a wrapper. */
static const char *role_of(pid_t pid, pid_t program) {
  char exe[4096], path[64], comm[32];
  size_t length = link_of(pid, "exe", exe, sizeof exe);
  if (length >= 5 && strcmp(exe + length - 5, "/runt") == 0)
    return pid == program ? "runt" : "child";
  if (!strstr(exe, "runt-init"))
    return NULL;
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, comm, sizeof comm - 1);
  close(fd);
  comm[got < 0 ? 0 : got] = 0;
  return strncmp(comm, "runt-supervisor", 15) == 0 ? "supervisor" : "init";
}

/* The name of a call; with `@socket`, `@pipe` or `@anon` (eventfd, signalfd …) if it reads or
 * writes such a descriptor, where it has other errors than with a file. */
static void name_of(const struct seccomp_notif *call, char *name, size_t size) {
  snprintf(name, size, "%s", call_name((unsigned)call->data.nr));
  if (strcmp(name, "read") != 0 && strcmp(name, "write") != 0 && strcmp(name, "readv") != 0 &&
      strcmp(name, "writev") != 0)
    return;
  char fd[32], target[4096];
  snprintf(fd, sizeof fd, "fd/%d", (int)call->data.args[0]);
  link_of((pid_t)call->pid, fd, target, sizeof target);
  const char *const kinds[] = {"socket", "pipe", "anon"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strncmp(target, kinds[i], strlen(kinds[i])) == 0)
      snprintf(name + strlen(name), size - strlen(name), "@%s", kinds[i]);
}

/* Whether a list with commas has a word. */
static int has(const char *list, const char *word) {
  size_t length = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += length)
    if ((at == list || at[-1] == ',') && (at[length] == 0 || at[length] == ','))
      return 1;
  return 0;
}

/* Answers each call until no process has the filter. Returns the exit status. */
static int answer(int listener, const struct faults *f, pid_t program) {
  int report = open(f->report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  unsigned long seen = 0;
  int counts = f->after == NULL;
  struct pollfd ready = {.fd = listener, .events = POLLIN};
  while (report >= 0 && poll(&ready, 1, -1) >= 0 && !(ready.revents & POLLHUP)) {
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
      continue; /* ENOENT: the process was killed. */
    struct seccomp_notif_resp response = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    counts = counts || access(f->after, F_OK) == 0;
    const char *role = counts && seen <= f->wanted ? role_of((pid_t)call.pid, program) : NULL;
    char name[64];
    name_of(&call, name, sizeof name);
    if (role && has(f->roles, role)) {
      dprintf(report, "%s %s\n", role, name);
      if ((strcmp(f->call, "any") == 0 || strcmp(f->call, name) == 0) && seen++ == f->wanted) {
        dprintf(report, "hit\n");
        if (strcmp(f->action, "kill") == 0) {
          kill((pid_t)call.pid, SIGKILL);
          continue;
        }
        if (strcmp(f->action, "none") != 0)
          response = (struct seccomp_notif_resp){.id = call.id, .error = -atoi(f->action)};
      }
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
  /* Since Linux 5.19 a signal does not make a call fail with EINTR that waits for the answer. */
  const unsigned long flags[] = {SECCOMP_FILTER_FLAG_NEW_LISTENER |
                                     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                                 SECCOMP_FILTER_FLAG_NEW_LISTENER};
  int fd = -1;
  for (size_t i = 0; i < 2 && fd < 0; i++)
    fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i], &filter);
  if (fd < 0)
    perror("fail-at: seccomp");
  *listener = fd;
  if (fd >= 0)
    execvp(argv[0], argv);
  _exit(125);
}

int main(int argc, char **argv) {
  struct faults f = {0};
  int at = 6;
  if (argc > 8 && strcmp(argv[6], "--after") == 0) {
    f.after = argv[7];
    at = 8;
  }
  if (argc < at + 2 || strcmp(argv[at], "--") != 0) {
    fprintf(stderr, "usage: fail-at REPORT ROLES CALL N ACTION [--after FILE] -- PROGRAM ARGS…\n");
    return 125;
  }
  f.report = argv[1];
  f.roles = argv[2];
  f.call = argv[3];
  f.wanted = strtoul(argv[4], NULL, 10);
  f.action = argv[5];
  volatile int *listener =
      mmap(NULL, sizeof *listener, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (listener == MAP_FAILED)
    return 125;
  /* The three processes share one table of descriptors, until the program's execve(2). */
  pid_t program = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (program == 0)
    start(listener, argv + at + 1);
  pid_t answering = program < 0 ? -1 : (pid_t)syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
  if (answering == 0) {
    while (!*listener)
      sched_yield();
    int own = fcntl(*listener, F_DUPFD_CLOEXEC, 1000);
    syscall(SYS_close_range, 0, own - 1, 2); /* CLOSE_RANGE_UNSHARE */
    _exit(own < 0 ? 125 : answer(own, &f, program));
  }
  int status;
  if (answering < 0 || waitpid(program, &status, 0) != program)
    return 125;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
