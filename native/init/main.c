/* runt-init: performs one plan, in order, inside the namespaces it was started in
 * (docs/internals.md).
 *
 * It trusts only the runtime that sent the plan: not the root file system, not other processes
 * of the container, not what is mounted in it. It runs from a sealed memfd (CVE-2019-5736), is
 * not dumpable once its id maps are written (CVE-2016-9962), and reaches the container's files
 * only through root/resolve.c. */
#include "dispatch.h"
#include "init.h"
#include "relro.h"
#include <signal.h>
#include <sys/prctl.h>

struct init init = {
    .report = -1, .start_socket = -1, .proc = -1, .root = -1, .detached = -1, .mask_tree = -1};

/* The pidfd of the child that the waiter waits for, and the exit status if it cannot; -1 in other
 * modes. */
static int awaited = -1, failed = 1;

/* Ends before there is a plan. The runtime, at the other end of the socket, sees that; the waiter
 * has a message. */
static _Noreturn void end_at(const char *what) {
  _exit(awaited < 0 ? 1 : end_unawaited(awaited, failed, what));
}

static char *receive_plan(size_t *length) {
  unsigned char head[4];
  if (read_fully(init.report, head, sizeof head))
    end_at("read the request");
  *length = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
  if (*length == 0 || *length > PLAN_MAX)
    return NULL;
  char *data = allocate_pages(*length);
  if (!data) {
    if (awaited < 0) {
      fail("mmap", "the plan");
      report_failure(NO_OPERATION);
    }
    end_at("read the request");
  }
  if (read_fully(init.report, data, *length))
    end_at("read the request");
  return data;
}

static int take_slots(const struct plan *plan) {
  init.slot_count = plan->slots;
  if (!plan->slots)
    return 0;
  int *slots = allocate(plan->slots * sizeof *slots);
  if (!slots)
    return -1;
  init.slots = slots;
  struct cursor c = plan->slot_fds;
  for (uint32_t i = 0; i < plan->slots; i++) {
    if (next_descriptor(&c, &slots[i]))
      return -1;
    if (slots[i] >= 0)
      init.runtime_slots = i + 1;
  }
  return 0;
}

int take_slot(int slot) {
  int fd = slot < 0 ? -1 : init.slots[slot];
  if (slot >= 0)
    init.slots[slot] = -1;
  return fd;
}

static _Noreturn void on_end(int signal) { _exit(128 + signal); }

/* The first process of a pid namespace has no default actions (pid_namespaces(7)): a created
 * container would survive signals that end any other process. Set before a filter may forbid it;
 * execve removes the handlers. */
static void end_by_signals(void) {
  static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    signal(ends[i], on_end);
}

/* Whether this is the first field of a frame. */
#define IS_FRAME(data, length, magic)                                                              \
  ((data) && (length) > sizeof(magic) && !memcmp(data, magic, sizeof(magic)))

/* An argument as a number. 0, or -1. */
static int argument_number(const char *argument, int *number) {
  uint64_t n;
  if (text_number(argument, strlen(argument), INT_MAX, &n))
    return -1;
  *number = (int)n;
  return 0;
}

int main(int argc, char **argv) {
  if ((argc != 2 && argc != 4) || argument_number(argv[1], &init.report) || init.report < 3)
    return 1;
  if (argc == 4 && (argument_number(argv[2], &awaited) || argument_number(argv[3], &failed)))
    return 1;
  if (protect_relocated())
    end_at("mprotect");
  size_t length;
  char *data = receive_plan(&length);
  /* It executes the runtime again, which needs the caller's umask and signal actions. */
  if (awaited >= 0)
    return await_end(awaited, failed, IS_FRAME(data, length, WAIT_MAGIC) ? data : NULL, length);
  signal(SIGPIPE, SIG_IGN);
  /* Files made here get exactly the requested modes; `user` sets the process's mask. */
  umask(0);
  if (IS_FRAME(data, length, SUPERVISE_MAGIC))
    return supervise(data, length);
  if (IS_FRAME(data, length, HOLD_MAGIC))
    return hold_answer(data, length);
  if (IS_FRAME(data, length, GUARD_MAGIC))
    return guard_exec(data, length);

  struct plan plan;
  if (!data || plan_open(data, length, &plan) || take_slots(&plan)) {
    fail_with(EBADMSG, "plan", "it cannot be decoded");
    report_failure(0);
    return 1;
  }
  init.start_socket = plan.start_socket;
  /* Marks a container that waits for start, even if the command that created it has died: an exec
   * sets the process's name to that of its file, and no file name contains a slash. */
  if (init.start_socket >= 0) {
    if (prctl(PR_SET_NAME, WAITING_NAME)) {
      fail("prctl", "PR_SET_NAME");
      report_failure(0);
      return 1;
    }
    if (getpid() == 1)
      end_by_signals();
  }
  if (plan.trace)
    trace_enable(plan.count);
  struct op op = {.index = 0};
  for (uint32_t i = 0; i < plan.count; i++) {
    plan_next(&plan, &plan.ops, &op);
    uint64_t start = trace_now();
    init.current = op.index;
    if (dispatch((enum op_code)op.shape->code, &op)) {
      report_failure(init.blamed ? init.blamed - 1 : op.index);
      return 1;
    }
    trace_add(op.index, start);
  }
  fail_with(EBADMSG, "plan", "it ends without an exec");
  report_failure(op.index);
  return 1;
}
