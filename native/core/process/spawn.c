/* Children: runt-init in its new namespaces, and helper programs. */
#include "../core.h"
#include "ambient.h"
#include "clone.h"
#include "close-listed.h"
#include "execute.h"
#include "image.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* The kernel's own sigaction: the C library hides signals 32 and 33. */
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};
enum { SIGNALS = 64, TARGETS_MAX = 8 };

/* State that parent and child share; the child writes only error and call. */
struct child {
  int program;      /* descriptor to execute, or -1: path */
  const char *path; /* absolute */
  char *const *argv, *const *envp;
  int copies[TARGETS_MAX]; /* descriptors for 0, 1, 2 …; none for runt-init with the stdio of this
                         process */
  int copy_count;
  const uint8_t *keep; /* descriptors to keep, i32 each */
  uint32_t keep_count;
  int sync;
  int raise;             /* make all capabilities ambient */
  const char *directory; /* for a hook, which leads its own session; else NULL */
  pid_t parent;
  volatile int error;
  volatile int call; /* START_CALL_*: the call that failed with it */
};

/* Sets every signal as a program expects it at its start. Handlers must not run here: they would
 * act on the parent's memory. */
static void reset_signals(void) {
  struct kernel_action action;
  memset(&action, 0, sizeof action);
  for (int n = 1; n <= SIGNALS; n++)
    if (n != SIGKILL && n != SIGSTOP)
      syscall(SYS_rt_sigaction, n, &action, NULL, MASK_SIZE);
  set_signal_mask(0, NULL);
}

static int keep_open(int fd) { return (int)syscall(SYS_fcntl, fd, F_SETFD, 0); }

/* Puts the descriptors at 0, 1, 2 … The parent copied them above, so none is overwritten. */
static int move_copies(const struct child *c) {
  for (int n = 0; n < c->copy_count; n++)
    if (syscall(SYS_dup3, c->copies[n], n, 0) < 0)
      return -1;
  return 0;
}

static int child_main(void *argument) {
  struct child *c = argument;
  reset_signals();
  int ok = 1;
  if (c->program >= 0) {
    /* Node.js makes even stdio close-on-exec, but the container must get it. A closed descriptor
     * stays closed. */
    for (int fd = 0; fd < 3 && c->copy_count == 0; fd++)
      keep_open(fd);
    c->call = START_CALL_DUP3;
    ok = move_copies(c) == 0 && keep_open(c->sync) == 0;
    for (uint32_t i = 0; ok && i < c->keep_count; i++)
      ok = keep_open(get_i32(c->keep, i)) == 0;
    if (ok && c->raise) {
      c->call = START_CALL_CAPSET;
      ok = raise_ambient() == 0;
    }
    if (ok) {
      c->call = START_CALL_EXECVEAT;
      execute_fd(c->program, c->argv, c->envp);
    }
  } else if (move_copies(c) == 0) {
    for (uint32_t i = 0; i < c->keep_count; i++)
      if (keep_open(get_i32(c->keep, i)) < 0)
        goto failed;
    if (c->directory) {
      /* A hook gets none of the caller's descriptors. Before 5.11 the flag is unknown: they are
       * closed at once, as the child needs none of them; the table is its own. */
      if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 &&
          syscall(SYS_close_range, 3, ~0u, 0) < 0 && close_listed(3, NULL) < 0)
        goto failed;
      syscall(SYS_setsid);
      /* A hook that outlived the runtime would act on a removed container, by a pid that another
       * process may have. A runtime that was killed before this line sends no signal. */
      syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      if (syscall(SYS_getppid) != c->parent)
        return 127;
      syscall(SYS_umask, 022);
      if (syscall(SYS_chdir, c->directory) < 0)
        syscall(SYS_chdir, "/");
    }
    syscall(SYS_execve, c->path, c->argv, c->envp);
  }
failed:
  c->error = errno ? errno : EIO;
  return 127;
}

/* Clones the child; the pid, or -errno of the clone or of the child's steps up to its exec. */
static int start(struct child *c, uint64_t flags, int cgroup, int *pidfd) {
  /* The child's stack, in this frame, which stays while CLONE_VFORK suspends this process. */
  _Alignas(16) char stack[16384];
  struct clone_args args = {
      .flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)pidfd,
      .exit_signal = SIGCHLD,
      .stack = (uint64_t)(uintptr_t)stack,
      .stack_size = sizeof stack,
  };
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)cgroup;
  }
  uint64_t before;
  set_signal_mask(UINT64_MAX, &before);
  long pid = clone3_call(&args, child_main, c);
  set_signal_mask(before, NULL);
#ifdef __SANITIZE_ADDRESS__
  /* The child's functions have marked their variables there, and did not return. */
  ASAN_UNPOISON_MEMORY_REGION(stack, sizeof stack);
#endif
  if (pid < 0)
    return (int)pid;
  if (c->error) {
    siginfo_t info;
    RETRY(waitid(P_PIDFD, (id_t)*pidfd, &info, WEXITED));
    close(*pidfd);
    return -c->error;
  }
  return (int)pid;
}

/* Closes the copies of descriptors for a child, after it has them. */
static void close_copies(struct child *c) {
  for (int n = 0; n < c->copy_count; n++)
    close(c->copies[n]);
}

/* Copies a descriptor that becomes the next of 0, 1, 2 …, of count in all. */
static int add_copy(struct child *c, int from, int count) {
  /* Above all targets, so that no dup3(2) overwrites another copy. */
  int copy = fcntl(from, F_DUPFD_CLOEXEC, count);
  if (copy < 0)
    return -errno;
  c->copies[c->copy_count++] = copy;
  return 0;
}

int32_t runt_becomeInit(const char *name, int32_t sync, int32_t child, int32_t failed,
                        const uint8_t *keep, uint32_t keep_len) {
  if (keep_len % 4)
    return -EINVAL;
  if (sync < 0 || child < 0)
    return -EBADF;
  if (failed < 0)
    return -EINVAL;
  char digits[3][DIGITS_MAX];
  char *argv[] = {(char *)(uintptr_t)name, digits_of(sync, digits[0]), digits_of(child, digits[1]),
                  digits_of(failed, digits[2]), NULL};
  char *envp[] = {NULL};
  struct image image = image_open();
  __attribute__((unused)) AUTO_CLOSE int once = image.once ? image.fd : -1;
  if (image.fd < 0)
    return image.fd;
  int kept = keep_open(sync);
  for (uint32_t i = 0; kept == 0 && i < keep_len / 4; i++)
    kept = keep_open(get_i32(keep, i));
  /* Not execute_fd: its other way changes the working directory, which this process needs if both
   * fail. */
  if (kept == 0)
    syscall(SYS_execveat, image.fd, "", argv, envp, AT_EMPTY_PATH);
  int error = errno;
  fcntl(sync, F_SETFD, FD_CLOEXEC);
  for (uint32_t i = 0; i < keep_len / 4; i++)
    fcntl(get_i32(keep, i), F_SETFD, FD_CLOEXEC);
  return -error;
}

int32_t runt_initImage(void) {
  struct image image = image_open();
  return image.fd < 0 || image.once ? image.fd : result(fcntl(image.fd, F_DUPFD_CLOEXEC, 3));
}

int32_t runt_spawnInit(int64_t flags, int32_t sync, const uint8_t *stdio, uint32_t stdio_len,
                       const uint8_t *keep, uint32_t keep_len, int32_t cgroup, uint8_t *pidfd,
                       uint32_t pidfd_cap) {
  if (keep_len % 4 || (stdio_len != 0 && stdio_len != 12))
    return -EINVAL;
  if (pidfd_cap < 2 * 8)
    return -EOVERFLOW;
  if (sync < 0)
    return -EBADF;
  char number[DIGITS_MAX];
  char *argv[] = {(char[]){"runt-init"}, digits_of(sync, number), NULL};
  char *envp[] = {NULL};
  int fd = -1;
  struct image image = image_open();
  __attribute__((unused)) AUTO_CLOSE int once = image.once ? image.fd : -1;
  put_i64(pidfd, 1, START_CALL_MEMFD_CREATE);
  if (image.fd < 0)
    return image.fd;
  __attribute__((cleanup(close_copies))) struct child c = {.program = image.fd,
                                                           .argv = argv,
                                                           .envp = envp,
                                                           .keep = keep,
                                                           .keep_count = keep_len / 4,
                                                           .sync = sync,
                                                           .raise = (flags & CLONE_NEWUSER) != 0};
  for (uint32_t n = 0; n < stdio_len / 4; n++) {
    int failed = add_copy(&c, get_i32(stdio, n), 3);
    if (failed < 0)
      return failed;
  }
  int r = start(&c, (uint64_t)flags, cgroup, &fd);
  if (r == -EACCES) {
    /* vm.memfd_noexec = 2 refuses to make or run an executable memfd. If a tmpfs is refused too,
     * the first error stands. */
    AUTO_CLOSE int tree = image_init_tmpfs();
    if (tree >= 0) {
      c.program = tree;
      c.error = 0;
      r = start(&c, (uint64_t)flags, cgroup, &fd);
    }
  }
  put_i64(pidfd, 1, c.error ? c.call : START_CALL_CLONE3);
  if (r >= 0)
    put_i64(pidfd, 0, fd);
  return r;
}

/* Counts the NUL-terminated strings of a list; -1 when the last one is not terminated. */
static long count_strings(const uint8_t *list, uint32_t len) {
  long count = 0;
  if (len > 0 && list[len - 1] != 0)
    return -1;
  for (uint32_t i = 0; i < len; i++)
    count += list[i] == 0;
  return count;
}

static void point_at_strings(char **out, const uint8_t *list, long count) {
  const char *p = (const char *)list;
  for (long i = 0; i < count; i++, p += strlen(p) + 1)
    out[i] = (char *)(uintptr_t)p;
  out[count] = NULL;
}

static void free_pointer(void *p) { free(*(void **)p); }

static int32_t spawn(const char *path, const uint8_t *args, uint32_t args_len, const uint8_t *env,
                     uint32_t env_len, const char *directory, const int *wanted, int count,
                     const uint8_t *keep, uint32_t keep_len, uint8_t *pidfd, uint32_t pidfd_cap) {
  long argc = count_strings(args, args_len), envc = count_strings(env, env_len);
  if (argc < 1 || envc < 0 || path[0] != '/' || count > TARGETS_MAX || keep_len % 4)
    return -EINVAL;
  if (pidfd_cap < 8)
    return -EOVERFLOW;
  __attribute__((cleanup(free_pointer))) char **vectors =
      calloc((size_t)(argc + envc + 2), sizeof *vectors);
  if (!vectors)
    return -ENOMEM;
  point_at_strings(vectors, args, argc);
  point_at_strings(vectors + argc + 1, env, envc);
  AUTO_CLOSE int null = -1;
  __attribute__((cleanup(close_copies))) struct child c = {.program = -1,
                                                           .path = path,
                                                           .argv = vectors,
                                                           .envp = vectors + argc + 1,
                                                           .directory = directory,
                                                           .keep = keep,
                                                           .keep_count = keep_len / 4,
                                                           .parent = getpid()};
  for (int n = 0; n < count; n++) {
    int from = wanted[n];
    if (from < 0) {
      if (null < 0 && (null = RETRY(open("/dev/null", O_RDWR | O_CLOEXEC))) < 0)
        /* vectors has a cleanup: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        return -errno;
      from = null;
    }
    int failed = add_copy(&c, from, count);
    if (failed < 0)
      return failed;
  }
  int fd = -1;
  int r = start(&c, 0, -1, &fd);
  if (r >= 0)
    put_i64(pidfd, 0, fd);
  return r;
}

int32_t runt_spawn(const char *path, const uint8_t *args, uint32_t args_len, const uint8_t *env,
                   uint32_t env_len, int32_t stdin_fd, int32_t stdout_fd, int32_t stderr_fd,
                   uint8_t *pidfd, uint32_t pidfd_cap) {
  const int stdio[] = {stdin_fd, stdout_fd, stderr_fd};
  return spawn(path, args, args_len, env, env_len, NULL, stdio, 3, NULL, 0, pidfd, pidfd_cap);
}

int32_t runt_spawnKeeping(const char *path, const uint8_t *args, uint32_t args_len,
                          const uint8_t *env, uint32_t env_len, int32_t stdin_fd, int32_t stdout_fd,
                          int32_t stderr_fd, const uint8_t *keep, uint32_t keep_len, uint8_t *pidfd,
                          uint32_t pidfd_cap) {
  const int stdio[] = {stdin_fd, stdout_fd, stderr_fd};
  return spawn(path, args, args_len, env, env_len, NULL, stdio, 3, keep, keep_len, pidfd,
               pidfd_cap);
}

int32_t runt_spawnWith(const char *path, const uint8_t *args, uint32_t args_len, const uint8_t *env,
                       uint32_t env_len, const uint8_t *fds, uint32_t fds_len, uint8_t *pidfd,
                       uint32_t pidfd_cap) {
  int wanted[TARGETS_MAX] = {-1, -1, -1};
  int count = 3 + (int)(fds_len / 4);
  if (fds_len % 4 || fds_len / 4 > TARGETS_MAX - 3)
    return -EINVAL;
  for (int n = 3; n < count; n++)
    wanted[n] = get_i32(fds, (uint32_t)n - 3);
  return spawn(path, args, args_len, env, env_len, NULL, wanted, count, NULL, 0, pidfd, pidfd_cap);
}

int32_t runt_spawnHook(const char *path, const uint8_t *args, uint32_t args_len, const uint8_t *env,
                       uint32_t env_len, const char *directory, int32_t stdin_fd, int32_t stdout_fd,
                       int32_t stderr_fd, uint8_t *pidfd, uint32_t pidfd_cap) {
  const int stdio[] = {stdin_fd, stdout_fd, stderr_fd};
  return spawn(path, args, args_len, env, env_len, directory, stdio, 3, NULL, 0, pidfd, pidfd_cap);
}
