/* Start of a child, which becomes the image in the request. */
#include "../../core/process/ambient.h"
#include "../../core/process/execute.h"
#include "../text.h"
#include "supervisor.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* The first number that no descriptor of the child takes in `move_descriptors`. */
static int above_targets(const struct request *r) {
  int base = 3;
  for (size_t i = 0; i < r->count; i++)
    if (r->targets[i] >= base)
      base = r->targets[i] + 1;
  return base;
}

/* In the child: puts each descriptor where the plan expects it. Copies all above every target
 * first, so that none is overwritten too early. Returns the image's descriptor, or -1. */
static int move_descriptors(const struct request *r) {
  int base = above_targets(r);
  int copies[MESSAGE_FDS_MAX], image = -1;
  for (size_t i = 0; i < r->count; i++) {
    copies[i] = fcntl(r->fds[i], F_DUPFD_CLOEXEC, base);
    if (copies[i] < 0)
      return -1;
    if ((int)i == r->image)
      image = copies[i];
  }
  for (size_t i = 0; i < r->count; i++)
    if (r->targets[i] >= 0 && dup2(copies[i], r->targets[i]) < 0)
      return -1;
  return image;
}

static struct failure failed_in(const char *call) {
  struct failure f = {.error = errno};
  strncpy(f.call, call, sizeof f.call - 1);
  return f;
}

/* Becomes runt-init, or writes to `failed` why not. Never returns. */
static _Noreturn void become_image(const struct request *r, int failed) {
  char digits[24];
  struct text t = TEXT_IN(digits);
  text_add_number(&t, r->sync);
  char *argv[] = {(char[]){"runt-init"}, digits, NULL}, *envp[] = {NULL};
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_NAME, "runt-init");
  int image = move_descriptors(r);
  struct failure f = failed_in("dup2");
  if (image >= 0 && !sigprocmask(SIG_SETMASK, &none, NULL)) {
    if (r->flags & CLONE_NEWUSER && raise_ambient())
      f = failed_in("capset");
    else {
      execute_fd(image, argv, envp);
      f = failed_in("execveat");
    }
  }
  while (write(failed, &f, sizeof f) < 0 && errno == EINTR)
    ;
  _exit(127);
}

/* clone3(2), or clone(2) where that is refused. clone(2) cannot put the child into a cgroup: the
 * runtime moves it when the answer names the failed clone3. */
static long clone_child(const struct request *r, int *pidfd) {
  struct clone_args args = {
      .flags = r->flags | CLONE_PIDFD, .pidfd = (uintptr_t)pidfd, .exit_signal = SIGCHLD};
  if (r->cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)r->fds[r->cgroup];
  }
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid >= 0 || !is_refused(SYS_clone3) || r->cgroup >= 0 || r->flags & CSIGNAL)
    return pid;
  return syscall(SYS_clone, args.flags | SIGCHLD, 0, pidfd, 0, 0);
}

int start_child(const struct request *r, int *pidfd, struct failure *f) {
  int ends[2];
  struct child *child = find_child(0);
  errno = EAGAIN;
  *f = failed_in("clone3");
  if (!child)
    return -f->error;
  if (pipe2(ends, O_CLOEXEC)) {
    *f = failed_in("pipe2");
    return -f->error;
  }
  /* `move_descriptors` must not overwrite it. */
  int failed = fcntl(ends[1], F_DUPFD_CLOEXEC, above_targets(r));
  close(ends[1]);
  long pid = failed < 0 ? -1 : clone_child(r, pidfd);
  if (pid == 0)
    become_image(r, failed);
  if (pid < 0)
    *f = failed_in(failed < 0 ? "fcntl" : "clone3");
  else
    f->error = 0;
  close_cleanup(&failed);
  if (pid > 0) {
    while (read(ends[0], f, sizeof *f) < 0 && errno == EINTR)
      ;
    if (f->error) {
      siginfo_t info;
      while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        ;
      close(*pidfd);
    } else
      *child = (struct child){.pid = (pid_t)pid, .kind = r->kind};
  }
  close(ends[0]);
  return f->error ? -f->error : (int)pid;
}
