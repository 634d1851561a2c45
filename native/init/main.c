/* runt-init: performs one plan, in order, inside the namespaces it was started in
 * (docs/architecture.md).
 *
 * It trusts the runtime that sent the plan and nothing else: not the root file system, not other
 * processes of the container, not what is mounted in it. It runs from a sealed memfd
 * (CVE-2019-5736), is not dumpable once its id maps are written (CVE-2016-9962), and reaches the
 * container's files only through root/resolve.c. */
#include "init.h"
#include "relro.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct init init = {
    .report = -1, .start_socket = -1, .proc = -1, .root = -1, .detached = -1, .mask_tree = -1};

static int perform(const struct op *op) {
  switch ((enum op_code)op->shape->code) {
  case OP_KEEP_FDS:
    return op_keep_fds(op);
  case OP_PROCFS:
    return op_procfs(op);
  case OP_KEYRING:
    return op_keyring(op);
  case OP_SYNC:
    return op_sync(op);
  case OP_BECOME_ROOT:
    return op_become_root(op);
  case OP_SESSION:
    return op_session(op);
  case OP_UNDUMPABLE:
    return op_undumpable(op);
  case OP_CGROUP_ENTER:
    return op_cgroup_enter(op);
  case OP_UNSHARE:
    return op_unshare(op);
  case OP_HOST_PROPAGATION:
    return op_host_propagation(op);
  case OP_LEAVE_CHROOT:
    return op_leave_chroot(op);
  case OP_ISOLATE:
    return op_isolate(op);
  case OP_CLONE_SOURCE:
    return op_clone_source(op);
  case OP_ROOTFS:
    return op_rootfs(op);
  case OP_MOUNT_FS:
    return op_mount_fs(op);
  case OP_MOUNT_BIND:
    return op_mount_bind(op);
  case OP_MOUNT_ATTRS:
    return op_mount_attrs(op);
  case OP_RECONFIGURE:
    return op_reconfigure(op);
  case OP_LABEL_MOUNT:
    return op_label_mount(op);
  case OP_PROPAGATE:
    return op_propagate(op);
  case OP_MKDIR:
    return op_mkdir(op);
  case OP_SYMLINK:
    return op_symlink(op);
  case OP_DEVICE:
    return op_device(op);
  case OP_VERIFY_MOUNTS:
    return op_verify_mounts(op);
  case OP_MASK:
    return op_mask(op);
  case OP_READONLY_PATH:
    return op_readonly_path(op);
  case OP_PIVOT_ROOT:
    return op_pivot_root(op);
  case OP_DETACHED_ROOT:
    return op_detached_root(op);
  case OP_CHANGE_ROOT:
    return op_change_root(op);
  case OP_MOVE_ROOT:
    return op_move_root(op);
  case OP_ROOT_PROPAGATION:
    return op_root_propagation(op);
  case OP_READONLY_ROOT:
    return op_readonly_root(op);
  case OP_LOOPBACK:
    return op_loopback(op);
  case OP_SYSCTL:
    return op_sysctl(op);
  case OP_HOSTNAME:
    return op_hostname(op);
  case OP_DOMAINNAME:
    return op_domainname(op);
  case OP_RLIMIT:
    return op_rlimit(op);
  case OP_NO_NEW_PRIVILEGES:
    return op_no_new_privileges(op);
  case OP_BOUNDING:
    return op_bounding(op);
  case OP_SECCOMP:
    return op_seccomp(op);
  case OP_STDIO_OWNER:
    return op_stdio_owner(op);
  case OP_USER:
    return op_user(op);
  case OP_NAMED_USER:
    return op_named_user(op);
  case OP_JOIN:
    return op_join(op);
  case OP_CGROUP_FORK:
    return op_cgroup_fork(op);
  case OP_SETNS:
    return op_setns(op);
  case OP_TIME_OPEN:
    return op_time_open(op);
  case OP_TIME_ENTER:
    return op_time_enter(op);
  case OP_AWAIT:
    return op_await(op);
  case OP_FORK:
    return op_fork(op);
  case OP_CAPABILITIES:
    return op_capabilities(op);
  case OP_CWD:
    return op_cwd(op);
  case OP_FIND_EXECUTABLE:
    return op_find_executable(op);
  case OP_SHOW_ROOT:
    return op_show_root(op);
  case OP_AWAIT_HOOKS:
    return op_await_hooks(op);
  case OP_HOOK:
    return op_hook(op);
  case OP_TERMINAL:
    return op_terminal(op);
  case OP_LISTEN_FDS:
    return op_listen_fds(op);
  case OP_SECURITY_LABEL:
    return op_security_label(op);
  case OP_KEEP_GROUPS:
    return op_keep_groups(op);
  case OP_HOOK_OUTPUT:
    return op_hook_output(op);
  case OP_CPU_AFFINITY:
    return op_cpu_affinity(op);
  case OP_MEMORY_POLICY:
    return op_memory_policy(op);
  case OP_PERSONALITY:
    return op_personality(op);
  case OP_WAIT:
    return op_wait(op);
  case OP_EXEC:
    return op_exec(op);
  }
  return fail_with(ENOSYS, "plan", op->shape->name);
}

static const char *receive_plan(size_t *length) {
  unsigned char head[4];
  if (read_fully(init.report, head, sizeof head))
    _exit(1);
  *length = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
  if (*length == 0 || *length > PLAN_MAX)
    return NULL;
  char *data = mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    fail("mmap", "the plan");
    report_failure(NO_OPERATION);
    _exit(1);
  }
  if (read_fully(init.report, data, *length))
    _exit(1);
  return data;
}

static int take_slots(const struct plan *plan) {
  init.slot_count = plan->slots;
  if (!plan->slots)
    return 0;
  init.slots = allocate(plan->slots * sizeof *init.slots);
  if (!init.slots)
    return -1;
  struct cursor c = plan->slot_fds;
  for (uint32_t i = 0; i < plan->slots; i++) {
    uint64_t fd;
    if (next_number(&c, &fd))
      return -1;
    init.slots[i] = (int)fd;
    if (init.slots[i] >= 0)
      init.given_slots = i + 1;
  }
  return 0;
}

static _Noreturn void on_end(int signal) { _exit(128 + signal); }

/* The first process of a pid namespace has no default actions (pid_namespaces(7)): a created
 * container would outlive what ends any other process. Before a filter may forbid it; execve takes
 * the handlers away. */
static void end_by_signals(void) {
  static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    signal(ends[i], on_end);
}

int main(int argc, char **argv) {
  if (protect_relocated())
    return 1;
  uint64_t sync;
  if (argc != 2 || text_number(argv[1], strlen(argv[1]), INT_MAX, &sync) || sync < 3)
    return 1;
  init.report = (int)sync;
  signal(SIGPIPE, SIG_IGN);
  /* Modes of what is made here are those that are asked for; `user` sets the process's mask. */
  umask(0);

  struct plan plan;
  size_t length;
  const char *data = receive_plan(&length);
  if (data && length > sizeof SUPERVISE_MAGIC &&
      !memcmp(data, SUPERVISE_MAGIC, sizeof SUPERVISE_MAGIC))
    return supervise(data, length);
  if (!data || plan_open(data, length, &plan) || take_slots(&plan)) {
    fail_with(EBADMSG, "plan", "it cannot be decoded");
    report_failure(0);
    return 1;
  }
  init.start_socket = plan.start_socket;
  /* What tells a container that waits for start from one that runs, whatever became of the command
   * that started it: an exec names the process by its file, and that name has no slash. */
  if (init.start_socket >= 0) {
    prctl(PR_SET_NAME, WAITING_NAME);
    if (getpid() == 1)
      end_by_signals();
  }
  if (plan.trace)
    trace_enable(plan.count);
  struct op op = {.index = 0};
  for (uint32_t i = 0; i < plan.count; i++) {
    plan_next(&plan.ops, &op);
    uint64_t start = trace_now();
    init.current = op.index;
    if (perform(&op)) {
      report_failure(init.blamed ? init.blamed - 1 : op.index);
      return 1;
    }
    trace_add(op.index, start);
  }
  fail_with(EBADMSG, "plan", "it ends without an exec");
  report_failure(op.index);
  return 1;
}
