/* The second mode of this program: the parent of one container and of what is executed in it. It
 * starts them for the runtime, sees how they end, and writes that to the state directory, where it
 * stays when everybody else was killed.
 *
 * Whom it trusts: its own user and root, by the credentials of each connection; the state directory
 * (0700, of the runtime's user) lets nobody else reach the socket. It starts nothing but the image
 * that comes with a request, and keeps no descriptor of the container's. docs/architecture.md, "The
 * supervisor". */
#include "../core/close-listed.h"
#include "../core/execute.h"
#include "../core/peer.h"
#include "init.h"
#include "memory.h"
#include "text.h"
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { REQUEST_MAX = 8192, FDS_MAX = 250, CHILDREN_MAX = 512 };
enum kind { KIND_SIBLING, KIND_INIT, KIND_SUCCESSOR, KIND_JOINING, KIND_EXEC };

static struct child {
  pid_t pid;
  enum kind kind;
} children[CHILDREN_MAX];

static struct {
  int sync, listener, state;
  int started; /* a container was started */
  int awaited; /* its init process is a sibling of the one that was started, and not known yet */
  int ended;   /* and its init process has ended */
} supervisor = {.sync = -1, .listener = -1, .state = -1};

/* Writes how a process ended as NAME.json: first beside it, then by rename, so that a reader finds
 * all or nothing. */
static void write_record(const char *name, const siginfo_t *info) {
  char json[512], path[64], temporary[64];
  struct text t = TEXT_IN(json), p = TEXT_IN(path), q = TEXT_IN(temporary);
  struct timespec now;
  int by_signal = info->si_code != CLD_EXITED;
  clock_gettime(CLOCK_REALTIME, &now);
  text_add(&t, "{\"pid\":");
  text_add_number(&t, (uint64_t)info->si_pid);
  text_add(&t, ",\"status\":");
  text_add_number(&t, (uint64_t)info->si_status + (by_signal ? 128 : 0));
  text_add(&t, ",\"signal\":");
  text_add_number(&t, by_signal ? (uint64_t)info->si_status : 0);
  text_add(&t, ",\"exitedAtNs\":\"");
  text_add_number(&t, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
  text_add(&t, memory_ran_out() ? "\",\"oom\":true}\n" : "\",\"oom\":false}\n");
  text_add(&p, name);
  text_add(&p, ".json");
  text_add(&q, path);
  text_add(&q, ".tmp");
  int fd = openat(supervisor.state, temporary,
                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return; /* the state directory was removed: nobody will ask */
  ssize_t n = write(fd, json, t.length);
  close(fd);
  if (n == (ssize_t)t.length)
    renameat(supervisor.state, temporary, supervisor.state, path);
}

/* Takes a child off the list; its kind, 0 for one that a joining process made as its sibling
 * (CLONE_PARENT). */
static enum kind forget(pid_t pid) {
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (children[i].pid == pid) {
      children[i].pid = 0;
      return children[i].kind;
    }
  return KIND_SIBLING;
}

/* Reaps all that have ended. 0 when there is no child left. */
static int reap(void) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG))
      return errno != ECHILD;
    if (!info.si_pid)
      return 1;
    char name[32];
    struct text t = TEXT_IN(name);
    switch (forget(info.si_pid)) {
    case KIND_JOINING:
    case KIND_SUCCESSOR:
      continue;
    case KIND_INIT:
      supervisor.ended = 1;
      write_record("exit", &info);
      continue;
    case KIND_SIBLING:
      if (!supervisor.awaited)
        break;
      /* Nothing is executed in a container before its init process is known. */
      supervisor.awaited = 0;
      supervisor.ended = 1;
      write_record("exit", &info);
      continue;
    case KIND_EXEC:
      break;
    }
    text_add(&t, "exec-");
    text_add_number(&t, (uint64_t)info.si_pid);
    write_record(name, &info);
  }
}

/* What one request asks for. */
struct request {
  uint64_t flags, sync;
  enum kind kind;
  int fds[FDS_MAX];
  int targets[FDS_MAX]; /* where the child gets each; -1: not a descriptor of the child's */
  size_t count;
  int image, cgroup; /* indices into fds, -1 for none */
  const char *oom_file;
};

/* In the child: puts every descriptor where the plan expects it. They are copied above all targets
 * first, so that none is overwritten before its turn. Returns the image's descriptor, or -1. */
static int place(const struct request *r) {
  int base = 3;
  for (size_t i = 0; i < r->count; i++) {
    if (r->targets[i] >= base)
      base = r->targets[i] + 1;
    if (r->fds[i] >= base)
      base = r->fds[i] + 1;
  }
  int copies[FDS_MAX], image = -1;
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

/* In a new user namespace whose ids are not mapped yet only ambient capabilities survive the exec.
 */
static int raise_ambient(void) {
  struct {
    uint32_t version;
    int pid;
  } head = {0x20080522, 0};
  struct {
    uint32_t effective, permitted, inheritable;
  } set[2];
  if (syscall(SYS_capget, &head, set))
    return -1;
  for (int i = 0; i < 2; i++)
    set[i].inheritable = set[i].permitted;
  if (syscall(SYS_capset, &head, set))
    return -1;
  for (unsigned cap = 0; cap < 64; cap++)
    if (set[cap / 32].permitted >> (cap % 32) & 1 &&
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
      return -1;
  return 0;
}

/* What a start has failed in. */
struct failure {
  int error;
  char call[16];
};

static struct failure failed_in(const char *call) {
  struct failure f = {.error = errno};
  strncpy(f.call, call, sizeof f.call - 1);
  return f;
}

/* Never returns: becomes runt-init, or tells through `failed` why not. */
static _Noreturn void become(const struct request *r, int failed) {
  char digits[24];
  struct text t = TEXT_IN(digits);
  text_add_number(&t, r->sync);
  char *argv[] = {(char[]){"runt-init"}, digits, NULL}, *envp[] = {NULL};
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_NAME, "runt-init");
  int image = place(r);
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

/* clone3(2); where that is refused clone(2), which can do all but put the child into a cgroup: the
 * runtime moves it there when it is told that the first has failed. */
static long clone_child(const struct request *r, int *pidfd) {
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
  } args = {.flags = r->flags | 0x1000 /* CLONE_PIDFD */,
            .pidfd = (uintptr_t)pidfd,
            .exit_signal = SIGCHLD};
  if (r->cgroup >= 0) {
    args.flags |= 0x200000000ull; /* CLONE_INTO_CGROUP */
    args.cgroup = (uint64_t)r->fds[r->cgroup];
  }
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid >= 0 || !is_refused(SYS_clone3) || r->cgroup >= 0 || r->flags & 0xff)
    return pid;
  return syscall(SYS_clone, args.flags | SIGCHLD, 0, pidfd, 0, 0);
}

/* The child's pid, its pidfd in *pidfd; or -errno, and in what. */
static int start(const struct request *r, int *pidfd, struct failure *f) {
  int slot = 0, ends[2];
  while (slot < CHILDREN_MAX && children[slot].pid)
    slot++;
  errno = EAGAIN;
  *f = failed_in("clone3");
  if (slot == CHILDREN_MAX)
    return -f->error;
  /* Above every target, so that `place` cannot overwrite it. */
  if (pipe2(ends, O_CLOEXEC)) {
    *f = failed_in("pipe2");
    return -f->error;
  }
  int failed = fcntl(ends[1], F_DUPFD_CLOEXEC, 512);
  close(ends[1]);
  long pid = failed < 0 ? -1 : clone_child(r, pidfd);
  if (pid == 0)
    become(r, failed);
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
      waitid(P_PID, (id_t)pid, &info, WEXITED);
      close(*pidfd);
    } else
      children[slot] = (struct child){(pid_t)pid, r->kind};
  }
  close(ends[0]);
  return f->error ? -f->error : (int)pid;
}

/* A request's text: magic, clone flags, the sync descriptor's place, kind, OOM file, and for each
 * descriptor its place, "image" or "cgroup". */
static int parse(const char *data, size_t length, struct request *r) {
  const char *fields[5 + FDS_MAX];
  size_t n = 0;
  if (!length || data[length - 1])
    return -1;
  for (const char *at = data; at < data + length; at += strlen(at) + 1) {
    if (n == sizeof fields / sizeof *fields)
      return -1;
    fields[n++] = at;
  }
  if (n != 5 + r->count || strcmp(fields[0], "runt-spawn-1") ||
      text_number(fields[1], strlen(fields[1]), UINT32_MAX, &r->flags) ||
      text_number(fields[2], strlen(fields[2]), INT_MAX, &r->sync) || strlen(fields[4]) >= PATH_MAX)
    return -1;
  r->kind = !strcmp(fields[3], "init")        ? KIND_INIT
            : !strcmp(fields[3], "successor") ? KIND_SUCCESSOR
            : !strcmp(fields[3], "exec")      ? KIND_JOINING
            : !strcmp(fields[3], "exec-self") ? KIND_EXEC
                                              : KIND_SIBLING;
  int late = r->kind == KIND_JOINING || r->kind == KIND_EXEC;
  if (r->kind == KIND_SIBLING || late != supervisor.started)
    return -1;
  for (size_t i = 0; i < r->count; i++) {
    uint64_t target;
    r->targets[i] = -1;
    if (!strcmp(fields[5 + i], "image"))
      r->image = (int)i;
    else if (!strcmp(fields[5 + i], "cgroup"))
      r->cgroup = (int)i;
    else if (text_number(fields[5 + i], strlen(fields[5 + i]), 4096, &target))
      return -1;
    else
      r->targets[i] = (int)target;
  }
  if (r->image < 0)
    return -1;
  r->oom_file = fields[4];
  return 0;
}

/* The container's init process: a sibling of the one that was started for it. Its pid; -ESRCH when
 * it has ended and is recorded already; -EBADMSG when that is not what is asked. */
static int adopt(const char *data, size_t length) {
  static const char magic[] = "runt-adopt-1";
  uint64_t pid;
  if (length <= sizeof magic || data[length - 1] || memcmp(data, magic, sizeof magic) ||
      text_number(data + sizeof magic, strlen(data + sizeof magic), INT_MAX, &pid))
    return -EBADMSG;
  if (!supervisor.awaited)
    return -ESRCH;
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (!children[i].pid) {
      children[i] = (struct child){(pid_t)pid, KIND_INIT};
      supervisor.awaited = 0;
      return (int)pid;
    }
  return -EAGAIN;
}

static void answer(int connection, int result, int pidfd, const char *call) {
  char text[48];
  struct text t = TEXT_IN(text);
  text_add(&t, result < 0 ? "error" : "pid");
  text_add_char(&t, ' ');
  text_add_number(&t, (uint64_t)(result < 0 ? -result : result));
  if (result < 0 && *call) {
    text_add_char(&t, ' ');
    text_add(&t, call);
  }
  struct iovec data = {text, t.length + 1};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (pidfd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof pidfd);
    memcpy(CMSG_DATA(c), &pidfd, sizeof pidfd);
  }
  sendmsg(connection, &message, MSG_NOSIGNAL);
}

/* One connection is one request. Another user's is closed before anything of it is read. A client
 * that is slow to ask is dropped: nobody else could be served meanwhile. */
static void serve(void) {
  static char data[REQUEST_MAX];
  static union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
  } control;
  int connection CLEANUP_CLOSE = accept4(supervisor.listener, NULL, NULL, SOCK_CLOEXEC);
  if (connection < 0 || !peer_is(connection, geteuid(), 1))
    return;
  struct timeval patience = {.tv_sec = 2};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct iovec part = {data, sizeof data};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  struct request r = {.image = -1, .cgroup = -1};
  for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL; c; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
      size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count && r.count < FDS_MAX; i++)
        memcpy(&r.fds[r.count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
  int pidfd = -1, result = -EBADMSG;
  struct failure f = {0};
  int whole = n > 0 && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  if (whole && !r.count)
    result = adopt(data, (size_t)n);
  else if (whole && !parse(data, (size_t)n, &r)) {
    if (r.kind != KIND_JOINING && r.kind != KIND_EXEC)
      watch_memory(r.oom_file);
    result = start(&r, &pidfd, &f);
    if (result > 0 && r.kind != KIND_JOINING) {
      supervisor.started = 1;
      supervisor.awaited = r.kind == KIND_SUCCESSOR;
      close(supervisor.sync);
      supervisor.sync = -1;
    }
  }
  answer(connection, result, pidfd, f.call);
  close_cleanup(&pidfd);
  for (size_t i = 0; i < r.count; i++)
    close(r.fds[i]);
}

static int is_own(int fd) {
  return fd == supervisor.sync || fd == supervisor.listener || fd == supervisor.state;
}

/* Lets go of the caller's stdio and of whatever else it had open. */
static int settle(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    return fail("open", "/dev/null");
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0)
      return fail("dup2", "/dev/null");
  if (null > 2)
    close(null);
  int keep[] = {supervisor.sync, supervisor.listener, supervisor.state};
  for (size_t i = 0; i < 3; i++)
    if (fcntl(keep[i], F_SETFD, FD_CLOEXEC))
      return fail("fcntl", "FD_CLOEXEC");
  for (unsigned next = 3;;) {
    unsigned lowest = UINT_MAX;
    for (size_t i = 0; i < 3; i++)
      if (keep[i] >= (int)next && (unsigned)keep[i] < lowest)
        lowest = (unsigned)keep[i];
    if (lowest > next && sys_close_range(next, lowest == UINT_MAX ? UINT_MAX : lowest - 1, 0)) {
      if (!is_refused(NR_close_range))
        return fail("close_range", NULL);
      if (close_listed(next, is_own))
        return fail("close", "/proc/self/fd");
      break;
    }
    if (lowest == UINT_MAX)
      break;
    next = lowest + 1;
  }
  if (setsid() < 0)
    return fail("setsid", NULL);
  prctl(PR_SET_NAME, "runt-supervisor");
  if (chdir("/"))
    return fail("chdir", "/");
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}

/* Reports the step that failed; the exit status. */
static int not_started(void) {
  report_failure(NO_OPERATION);
  return 1;
}

int supervise(const char *data, size_t length) {
  struct cursor c = {data, data + length};
  uint64_t listener, state;
  c.at += sizeof SUPERVISE_MAGIC;
  if (next_number(&c, &listener) || next_number(&c, &state) || c.at != c.end ||
      listener > INT_MAX || state > INT_MAX) {
    fail_with(EBADMSG, "supervise", "the request cannot be decoded");
    return not_started();
  }
  supervisor.sync = init.report;
  supervisor.listener = (int)listener;
  supervisor.state = (int)state;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (settle())
    return not_started();
  if (sigprocmask(SIG_BLOCK, &child, NULL)) {
    fail("sigprocmask", "SIGCHLD");
    return not_started();
  }
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) {
    fail("signalfd", "SIGCHLD");
    return not_started();
  }
  if (report_created())
    return 1;
  for (;;) {
    struct pollfd fds[] = {{signals, POLLIN, 0},
                           {supervisor.ended ? -1 : supervisor.listener, POLLIN, 0},
                           {supervisor.sync, POLLIN, 0},
                           {memory_events(), POLLIN, 0}};
    if (poll(fds, 4, -1) < 0 && errno != EINTR)
      return 1;
    if (fds[3].revents)
      memory_ran_out();
    if (fds[0].revents) {
      struct signalfd_siginfo info;
      while (read(signals, &info, sizeof info) > 0)
        ;
      if (!reap() && (supervisor.ended || supervisor.awaited))
        return 0;
    }
    if (fds[1].revents)
      serve();
    /* The runtime ended before it had a container started. */
    if (fds[2].revents && !supervisor.started)
      return 0;
  }
}
