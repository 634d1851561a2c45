/* Hooks in the container's namespaces: createContainer and startContainer (runtime-spec
 * config.md#posix-platform-hooks). */
#include "../../core/clock.h"
#include "../../core/time-limits.h"
#include "../init.h"
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

enum { TAIL_MAX = 4096, SECONDS_MAX = 1000000000 };

/* The last bytes that a hook wrote to one of its descriptors. */
struct tail {
  int fd; /* our end of the pipe; -1 at end of file */
  size_t length;
  char data[TAIL_MAX];
};

/* Files for the hooks' output; -1: this process reads it from a pipe. */
static int output[2] = {-1, -1};

/* Safe: the runtime opened these files for appending. The execve closes them, and until then no
 * process of the container can reach them through this one. */
int op_hook_output(const struct op *op) {
  const int fields[2] = {HOOK_OUTPUT_OUT, HOOK_OUTPUT_ERR};
  for (int i = 0; i < 2; i++) {
    if (!op->v[fields[i]].present)
      continue;
    output[i] = take_slot(op->v[fields[i]].slot);
    if (output[i] < 0)
      return fail_with(EBADF, "open", NULL);
  }
  return 0;
}

static volatile int exec_error;

struct hook_start {
  const struct op *op;
  char *const *args, *const *env;
  const int *stdio;
};

/* Executes the hook; an error is in exec_error. */
static int execute_hook(void *argument) {
  const struct hook_start *start = argument;
  const struct op *op = start->op;
  for (int n = 0; n < 3; n++)
    if (dup2(start->stdio[n], n) < 0)
      goto failed;
  if (sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC))
    for (unsigned fd = 3; fd < 3 + init.keep; fd++) /* all others are close-on-exec by themselves */
      close((int)fd);
  setsid();
  if (!op->v[HOOK_INSIDE].on) {
    umask(022);
    if (fchdir(init.root))
      goto failed;
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (apply_filter_to_hook())
    goto failed;
  execve(op->v[HOOK_PATH].str, start->args, start->env);
failed:
  exec_error = errno;
  return 127;
}

/* Starts a hook as the leader of its own session, so that its descendants can be killed with it.
 * Safe: it has only the three descriptors. The child shares memory until its exec and changes only
 * exec_error. Not vfork(3): in musl for arm64 that is fork(2), which shares nothing. */
static pid_t spawn(const struct op *op, char *const *args, char *const *env, const int *stdio) {
  static _Alignas(16) char stack[32768];
  struct hook_start start = {op, args, env, stdio};
  exec_error = 0;
  return clone(execute_hook, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
}

/* A pipe with both ends above the hook's three descriptors; ours does not block. */
static int open_pipe(int ends[2], int ours) {
  if (pipe2(ends, O_CLOEXEC))
    return -1;
  for (int i = 0; i < 2; i++) {
    if (ends[i] > 2)
      continue;
    int high = sys_duplicate(ends[i]);
    if (high < 0)
      return -1;
    close(ends[i]);
    ends[i] = high;
  }
  return fcntl(ends[ours], F_SETFL, O_NONBLOCK);
}

/* The pipe that we read, or a copy of the file that replaces it. */
static int open_output(int ends[2], int file) {
  if (file < 0)
    return open_pipe(ends, 0);
  ends[1] = sys_duplicate(file);
  return ends[1] < 0 ? -1 : 0;
}

static void drop(int *fd) {
  close_cleanup(fd);
  *fd = -1;
}

static void drain(struct tail *t) {
  char chunk[TAIL_MAX];
  for (ssize_t n; t->fd >= 0 && (n = read(t->fd, chunk, sizeof chunk)) != -1;) {
    if (n == 0) {
      drop(&t->fd);
      return;
    }
    size_t add = (size_t)n, over = t->length + add > TAIL_MAX ? t->length + add - TAIL_MAX : 0;
    memmove(t->data, t->data + over, t->length - over);
    t->length -= over;
    memcpy(t->data + t->length, chunk, add);
    t->length += add;
  }
}

static uint64_t now_ms(void) { return (uint64_t)clock_ns(CLOCK_MONOTONIC) / 1000000; }

/* Describes why the hook failed: its index in the config, how it ended, a number for that, the
 * milliseconds it took, and the stream of the output that follows. container/hooks/hook-failure.ts
 * reads this. */
static int failed(const struct op *op, int error, const char *how, uint64_t number, uint64_t ms,
                  const struct tail *out, const struct tail *err) {
  const struct tail *printed = err->length || !out->length ? err : out;
  char detail[2 * PATH_MAX];
  struct text t = TEXT_IN(detail);
  text_add(&t, op->v[HOOK_POINT].str);
  text_add_char(&t, ' ');
  text_add_number(&t, op->v[HOOK_INDEX].num);
  text_add_char(&t, '\n');
  text_add(&t, how);
  text_add(&t, " ");
  text_add_number(&t, number);
  text_add(&t, " ");
  text_add_number(&t, ms);
  text_add(&t, printed == out ? " stdout\n" : " stderr\n");
  for (size_t i = 0; i < printed->length; i++)
    text_add_char(&t, (char)(printed->data[i] ? printed->data[i] : ' '));
  return fail_with(error, "hook", detail);
}

/* Its only use is to interrupt a poll. */
static void on_child(int number) { (void)number; }

/* Writes the hook's input and reads its output until it has ended; 1 when it had to be killed. The
 * hook may leave its input unread, write any amount, and leave descendants that hold its
 * descriptors open: none of that delays this. */
static int attend(const struct op *op, pid_t pid, int *input, const struct text *state,
                  struct tail *out, struct tail *err, siginfo_t *end) {
  uint64_t seconds = op->v[HOOK_TIMEOUT].num, begin = now_ms(), slow = begin + SLOW_HOOK_TIME;
  uint64_t limit =
      op->v[HOOK_TIMEOUT].present && seconds < SECONDS_MAX ? begin + seconds * 1000 : 0;
  size_t sent = 0;
  int late = 0;
  sigset_t none;
  sigemptyset(&none);
  for (;;) {
    drain(out);
    drain(err);
    end->si_pid = 0;
    int r = waitid(P_PID, (id_t)pid, end, WEXITED | WNOHANG | WNOWAIT);
    if (r == 0 && end->si_pid)
      break;
    if (r < 0 && errno == EINTR)
      continue; /* no other SIGCHLD may come */
    struct timespec wait = {0, 0}, *timeout = NULL;
    uint64_t now = now_ms(), next = slow;
    if (limit && now >= limit && !late) {
      kill(-pid, SIGKILL);
      late = 1;
      continue;
    }
    if (slow && now >= slow) {
      report_slow(op->v[HOOK_POINT].str, op->v[HOOK_INDEX].num);
      slow = next = 0;
    }
    if (limit && !late && (!next || limit < next))
      next = limit;
    if (next) {
      wait.tv_sec = (time_t)((next - now) / 1000);
      wait.tv_nsec = (long)((next - now) % 1000) * 1000000;
      timeout = &wait;
    }
    struct pollfd fds[] = {
        {.fd = *input, .events = POLLOUT}, {out->fd, POLLIN, 0}, {err->fd, POLLIN, 0}};
    if (ppoll(fds, 3, timeout, &none) < 0 && errno != EINTR)
      break;
    if (!fds[0].revents)
      continue;
    ssize_t n = write(*input, state->at + sent, state->length - sent);
    if (n > 0)
      sent += (size_t)n;
    if (sent == state->length || (n < 0 && errno != EAGAIN && errno != EINTR))
      drop(input);
  }
  if (late)
    kill(-pid, SIGKILL); /* processes that the first signal missed; the zombie holds the pid */
  while (waitid(P_PID, (id_t)pid, end, WEXITED) < 0 && errno == EINTR)
    ;
  drain(out);
  drain(err);
  return late;
}

/* The state for the hook's input, with the pid between its two parts. */
static int write_state(const struct value *v, struct text *state) {
  const char *head = v[HOOK_BEFORE_PID].str, *tail = v[HOOK_AFTER_PID].str;
  size_t room = strlen(head) + strlen(tail) + 32;
  char *buffer = allocate(room);
  if (!buffer)
    return -1;
  *state = text_in(buffer, room);
  text_add(state, head);
  text_add_number(state, init.host_pid);
  text_add(state, tail);
  return 0;
}

/* Safe: the program is the config's, resolved in this process's root: the host's before the
 * switch, the container's after it. There it has the user, capabilities and seccomp filter of the
 * process. */
int op_hook(const struct op *op) {
  const struct value *v = op->v;
  int lacks_home = v[HOOK_HOME_OF].present;
  char *home = lacks_home ? home_entry(v[HOOK_HOME_OF].num) : NULL;
  char **args = string_vector(&v[HOOK_ARGS], NULL, 0),
       **env = string_vector(&v[HOOK_ENV], &home, 1);
  struct text state;
  init.hooks_ran = 1;
  if (!args || !env || (lacks_home && !home) || write_state(v, &state))
    return fail("mmap", NULL);
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0, late = 0;
  struct tail said_out = {.fd = -1}, said_err = {.fd = -1};
  siginfo_t end = {.si_code = CLD_EXITED};
  struct sigaction action = {.sa_handler = on_child}, action_before;
  sigset_t child, mask_before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &mask_before);
  sigaction(SIGCHLD, &action, &action_before);
  uint64_t begin = now_ms();
  if (open_pipe(in, 1) || open_output(out, output[0]) || open_output(err, output[1]))
    error = errno;
  else {
    pid_t pid = spawn(op, args, env, (const int[]){in[0], out[1], err[1]});
    error = pid < 0 ? errno : exec_error;
    if (pid > 0 && error)
      waitpid(pid, NULL, 0);
    drop(&in[0]);
    drop(&out[1]);
    drop(&err[1]);
    said_out.fd = out[0];
    said_err.fd = err[0];
    if (!error)
      late = attend(op, pid, &in[1], &state, &said_out, &said_err, &end);
    out[0] = said_out.fd;
    err[0] = said_err.fd;
  }
  for (int i = 0; i < 2; i++) {
    drop(&in[i]);
    drop(&out[i]);
    drop(&err[i]);
  }
  sigaction(SIGCHLD, &action_before, NULL);
  sigprocmask(SIG_SETMASK, &mask_before, NULL);
  /* As process 1, this one inherits a hook's children: the user's process should have none. */
  while (waitpid(-1, NULL, WNOHANG) > 0)
    ;
  uint64_t ms = now_ms() - begin;
  if (error)
    return failed(op, error, HOOK_END_EXEC, 0, ms, &said_out, &said_err);
  if (late)
    return failed(op, 0, HOOK_END_TIMEOUT, v[HOOK_TIMEOUT].num, ms, &said_out, &said_err);
  if (end.si_code != CLD_EXITED)
    return failed(op, 0, HOOK_END_SIGNAL, (uint64_t)end.si_status, ms, &said_out, &said_err);
  if (end.si_status)
    return failed(op, 0, HOOK_END_EXIT, (uint64_t)end.si_status, ms, &said_out, &said_err);
  return 0;
}
