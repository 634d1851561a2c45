/* Holder mode of this program: keeps the answer of a shim's `delete` open while the shim's server
 * has the container.
 *
 * containerd 2.x runs `delete` as soon as it has connected to a gRPC shim, and goes on when the
 * standard output of `delete` ends. docs/internals.md, "A held delete". */
#include "../core/process/execute.h"
#include "init.h"
#include <poll.h>
#include <signal.h>

enum { ANSWER_MAX = 256 };

static struct {
  int server, answer, program;
  struct command command; /* of the program */
} holder;

/* HOLD_MAGIC, the descriptors, the command. */
static int parse(char *data, size_t length) {
  struct cursor c = {data + sizeof HOLD_MAGIC, data + length};
  return next_descriptor(&c, &holder.server) || next_descriptor(&c, &holder.answer) ||
                 next_descriptor(&c, &holder.program) || next_command(&c, &holder.command)
             ? -1
             : 0;
}

/* The server has ended: the program deletes the container, and completes the answer. */
static _Noreturn void delete_container(void) {
  signal(SIGPIPE, SIG_DFL);
  if (dup2(holder.answer, STDOUT_FILENO) >= 0)
    execute_fd(holder.program, holder.command.words, holder.command.environment);
  _exit(127);
}

/* Handles what the server sent. Nonzero when it was the rest of the answer. */
static int take_message(void) {
  char data[ANSWER_MAX], *bytes = data;
  ssize_t n = read(holder.server, data, sizeof data);
  if (n < 0 && errno == EINTR)
    return 0;
  /* The late answer of a busy server. */
  if (n > 0 && *bytes == HOLD_YES) {
    if (!--n)
      return 0;
    bytes++;
  }
  if (n <= 0 || *bytes == HOLD_NO)
    delete_container();
  if (*bytes == HOLD_ASK) {
    static const char read_on = HOLD_READ;
    return write(holder.server, &read_on, 1) < 0 && errno != EPIPE;
  }
  while (write(holder.answer, bytes, (size_t)n) < 0 && errno == EINTR)
    ;
  return 1;
}

int hold_answer(char *data, size_t length) {
  if (parse(data, length)) {
    fail_with(EBADMSG, "hold", "the request cannot be decoded");
    return report_not_started();
  }
  const int keep[] = {init.report, holder.server, holder.answer, holder.program};
  static const char head = HOLD_HEAD;
  if (detach("runt-holder", keep, sizeof keep / sizeof *keep))
    return report_not_started();
  /* An answer that is never completed: containerd reports 255, not a message of zeros. */
  if (write(holder.answer, &head, 1) < 0) {
    fail("write", "the answer");
    return report_not_started();
  }
  if (report_created())
    return 1;
  close(init.report);
  for (;;) {
    struct pollfd fds[] = {{holder.server, POLLIN, 0}, {holder.answer, 0, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR)
        continue;
      return 1;
    }
    /* containerd has ended. The next one asks again. */
    if (fds[1].revents)
      return 0;
    if (take_message())
      return 0;
  }
}
