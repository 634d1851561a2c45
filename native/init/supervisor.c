/* The second mode of this program: the parent of one container and of what is executed in it. It
 * starts them for the runtime, sees how they end, and writes that to the state directory, where it
 * stays when everybody else was killed.
 *
 * Whom it trusts: its own user and root, by the credentials of each connection; the state directory
 * (0700, of the runtime's user) lets nobody else reach the socket. It starts nothing but the image
 * that comes with a request, and keeps no descriptor of the container's. docs/internals.md, "The
 * supervisor". */
#include "../core/process/ambient.h"
#include "../core/process/close-listed.h"
#include "../core/process/execute.h"
#include "../core/process/pidfd.h"
#include "../core/sockets/peer.h"
#include "cgroup/oom-count.h"
#include "init.h"
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

/* Untouched, a table costs no memory. */
enum { REQUEST_MAX = 8192, CHILDREN_MAX = 4096 };
/* A sibling is a process that a child made by CLONE_PARENT and of which no request has told: a
 * process of the container can make such ones too, so nothing is written down about them. */
enum kind { KIND_SIBLING, KIND_INIT, KIND_SUCCESSOR, KIND_JOINING, KIND_EXEC };

static struct child {
  pid_t pid;
  enum kind kind;
  uint64_t begun; /* ns on CLOCK_MONOTONIC; of an exec: unlike its pid it is never given again */
  /* Of a process whose parent was a supervisor that was killed: */
  int pidfd;
  int watched;
  uint64_t ended; /* when that was seen: ns since 1970; 0 while it runs */
  uint64_t seen;  /* the same on CLOCK_MONOTONIC */
} children[CHILDREN_MAX];
static int children_end; /* no child is at this index or behind it */

/* Execs whose records may be unread, in the order in which those were written: 4 KiB of a tmpfs
 * each. */
static struct exec {
  pid_t pid;
  uint64_t begun;
} unread[UNREAD_MAX];
static size_t unread_count;

static struct {
  int sync, listener, state;
  int heir; /* of a supervisor that was killed: what that one had started is taken over by sync */
  int watched; /* how many children are */
  int started; /* a container was started, or taken over */
  int awaited; /* its init process is a sibling of the one that was started, and not known yet */
  int ended;   /* and its init process has ended */
} supervisor = {.sync = -1, .listener = -1, .state = -1};

/* Writes a record: first beside it, then by rename, so that a reader finds all or nothing. 0, or
 * -1 with errno. */
static int write_json(const char *name, const struct text *json) {
  char temporary[64];
  struct text t = TEXT_IN(temporary);
  text_add(&t, name);
  text_add(&t, ".tmp");
  int fd = openat(supervisor.state, temporary,
                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1; /* the state directory was removed: nobody will ask */
  ssize_t n = write(fd, json->at, json->length);
  close(fd);
  if (n == (ssize_t)json->length)
    return renameat(supervisor.state, temporary, supervisor.state, name);
  int error = n < 0 ? errno : ENOSPC;
  unlinkat(supervisor.state, temporary, 0);
  errno = error;
  return -1;
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* How a process ended. */
struct end {
  int lost; /* nobody can tell the status */
  int by_signal, number;
  uint64_t at; /* ns since 1970 */
};

static int write_end(const char *name, pid_t pid, const struct end *end) {
  char json[512];
  struct text t = TEXT_IN(json);
  text_add(&t, "{\"pid\":");
  text_add_number(&t, (uint64_t)pid);
  if (end->lost)
    text_add(&t, ",\"lost\":true");
  else {
    text_add(&t, ",\"status\":");
    text_add_number(&t, (uint64_t)end->number + (end->by_signal ? 128 : 0));
    text_add(&t, ",\"signal\":");
    text_add_number(&t, end->by_signal ? (uint64_t)end->number : 0);
  }
  text_add(&t, ",\"exitedAtNs\":\"");
  text_add_number(&t, end->at);
  text_add(&t, memory_ran_out() ? "\",\"oom\":true}\n" : "\",\"oom\":false}\n");
  return write_json(name, &t);
}

/* The name of an exec's record: its pid alone is given to other processes later. */
static void exec_name(char *buffer, size_t size, pid_t pid, uint64_t begun) {
  struct text t = text_in(buffer, size);
  text_add(&t, EXEC_RECORD);
  text_add_number(&t, (uint64_t)pid);
  text_add_char(&t, '-');
  text_add_number(&t, begun);
  text_add(&t, EXEC_RECORD_END);
}

static void remove_exec(pid_t pid, uint64_t begun) {
  char name[64];
  exec_name(name, sizeof name, pid, begun);
  unlinkat(supervisor.state, name, 0);
}

/* Who reads a record removes it. */
static int is_unread(const struct exec *exec) {
  char name[64];
  struct stat unused;
  exec_name(name, sizeof name, exec->pid, exec->begun);
  return !fstatat(supervisor.state, name, &unused, AT_SYMLINK_NOFOLLOW);
}

/* Notes a record that nobody may ever read, and removes the oldest of too many. */
static void note_unread(pid_t pid, uint64_t begun) {
  if (unread_count == UNREAD_MAX) {
    unread_count = 0;
    for (size_t i = 0; i < UNREAD_MAX; i++)
      if (is_unread(&unread[i]))
        unread[unread_count++] = unread[i];
  }
  if (unread_count == UNREAD_MAX) {
    remove_exec(unread[0].pid, unread[0].begun);
    memmove(unread, unread + 1, --unread_count * sizeof *unread);
  }
  unread[unread_count++] = (struct exec){pid, begun};
}

/* The place of a child in the list, NULL when it is not there; 0 gives a free one, NULL when there
 * is none. */
static struct child *find(pid_t pid) {
  for (int i = 0; i < children_end; i++)
    if (children[i].pid == pid)
      return &children[i];
  return pid || children_end == CHILDREN_MAX ? NULL : &children[children_end++];
}

/* Takes a child off the list. One that a joining process made as its sibling (CLONE_PARENT) is not
 * in it. */
static struct child forget(pid_t pid) {
  struct child *place = find(pid), child = {.kind = KIND_SIBLING};
  if (place) {
    child = *place;
    place->pid = 0;
  }
  return child;
}

static void record(const struct child *child, pid_t pid, const struct end *end) {
  char name[64];
  switch (child->kind) {
  case KIND_JOINING:
  case KIND_SUCCESSOR:
    return;
  case KIND_SIBLING:
    /* Nothing is executed in a container before its init process is known. */
    if (!supervisor.awaited)
      return;
    supervisor.awaited = 0;
    break;
  case KIND_INIT:
    break;
  case KIND_EXEC:
    exec_name(name, sizeof name, pid, child->begun);
    /* A record that says "running" would be waited for. */
    if (write_end(name, pid, end))
      remove_exec(pid, child->begun);
    else
      note_unread(pid, child->begun);
    return;
  }
  supervisor.ended = 1;
  write_end(EXIT_RECORD, pid, end);
}

/* Reaps all that have ended. 0 when there is no child left. */
static int reap(void) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG))
      return errno != ECHILD;
    if (!info.si_pid)
      return 1;
    struct child child = forget(info.si_pid);
    struct end end = {.by_signal = info.si_code != CLD_EXITED,
                      .number = info.si_status,
                      .at = clock_ns(CLOCK_REALTIME)};
    record(&child, info.si_pid, &end);
  }
}

/* ms that whoever is the parent of a process has to reap it. */
enum { REAP_MS = 10000 };

/* Looks whether a watched process has ended. The kernel tells the status when its parent, the
 * subreaper or process 1, has reaped it; one that does not is not waited for. */
static void look_at(struct child *child, short events) {
  int status = 0, r = pidfd_exit(child->pidfd, &status);
  if (!child->ended && events) {
    child->ended = clock_ns(CLOCK_REALTIME);
    child->seen = clock_ns(CLOCK_MONOTONIC);
  }
  int late = child->ended && clock_ns(CLOCK_MONOTONIC) - child->seen > REAP_MS * 1000000ull;
  /* Linux 6.15 tells; 6.13 knows the ioctl, and POLLHUP says that the process was reaped; before
   * that there is nothing to wait for. */
  if (r != 1 && !late && !(r < 0 ? events : events & POLLHUP))
    return;
  struct end end = {.lost = r != 1,
                    .by_signal = (status & 0x7f) != 0,
                    .number = status & 0x7f ? status & 0x7f : status >> 8 & 0xff,
                    .at = child->ended};
  struct child ended = *child;
  child->pid = 0;
  child->watched = 0;
  supervisor.watched--;
  close(ended.pidfd);
  record(&ended, ended.pid, &end);
}

/* What one request asks for. */
struct request {
  uint64_t flags, sync;
  enum kind kind;
  int fds[MESSAGE_FDS_MAX];
  int targets[MESSAGE_FDS_MAX]; /* where the child gets each; -1: not a descriptor of the child's */
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

/* The child's pid, its pidfd in *pidfd; or -errno, and in what. */
static int start(const struct request *r, int *pidfd, struct failure *f) {
  int ends[2];
  struct child *child = find(0);
  errno = EAGAIN;
  *f = failed_in("clone3");
  if (!child)
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
      *child = (struct child){.pid = (pid_t)pid, .kind = r->kind};
  }
  close(ends[0]);
  return f->error ? -f->error : (int)pid;
}

/* The NUL-terminated fields of a request; how many, or -1. */
static int split(const char *data, size_t length, const char *fields[], size_t most) {
  size_t n = 0;
  if (!length || data[length - 1])
    return -1;
  for (const char *at = data; at < data + length; at += strlen(at) + 1) {
    if (n == most)
      return -1;
    fields[n++] = at;
  }
  return (int)n;
}

static int number(const char *field, uint64_t max, uint64_t *out) {
  return text_number(field, strlen(field), max, out);
}

/* A request's text: magic, clone flags, the sync descriptor's place, kind, OOM file, and for each
 * descriptor its place, "image" or "cgroup". */
static int parse(const char *const fields[], int n, struct request *r) {
  if (n < 5 || (size_t)n != 5 + r->count || number(fields[1], UINT32_MAX, &r->flags) ||
      number(fields[2], INT_MAX, &r->sync) || strlen(fields[4]) >= PATH_MAX)
    return -1;
  r->kind = !strcmp(fields[3], CHILD_INIT)        ? KIND_INIT
            : !strcmp(fields[3], CHILD_SUCCESSOR) ? KIND_SUCCESSOR
            : !strcmp(fields[3], CHILD_EXEC)      ? KIND_JOINING
                                                  : KIND_SIBLING;
  if (r->kind == KIND_SIBLING || (r->kind == KIND_JOINING) != supervisor.started)
    return -1;
  for (size_t i = 0; i < r->count; i++) {
    uint64_t target;
    r->targets[i] = -1;
    if (!strcmp(fields[5 + i], PLACE_IMAGE))
      r->image = (int)i;
    else if (!strcmp(fields[5 + i], PLACE_CGROUP))
      r->cgroup = (int)i;
    else if (number(fields[5 + i], 4096, &target))
      return -1;
    else
      r->targets[i] = (int)target;
  }
  if (r->image < 0)
    return -1;
  r->oom_file = fields[4];
  return 0;
}

static int spawn(const char *const fields[], int n, struct request *r, int *pidfd,
                 struct failure *f) {
  if (parse(fields, n, r))
    return -EBADMSG;
  if (r->kind == KIND_JOINING && supervisor.ended)
    return -ESRCH;
  if (r->kind != KIND_JOINING)
    watch_memory(r->oom_file);
  int result = start(r, pidfd, f);
  if (result > 0 && r->kind != KIND_JOINING) {
    supervisor.started = 1;
    supervisor.awaited = r->kind == KIND_SUCCESSOR;
    close(supervisor.sync);
    supervisor.sync = -1;
  }
  return result;
}

/* Whether the process behind a pidfd is a child that was not reaped: its number is its own then. */
static int is_child(int pidfd) {
  siginfo_t info;
  return !waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
}

static int is_over(int pidfd) {
  struct pollfd look = {pidfd, POLLIN, 0};
  return poll(&look, 1, 0) > 0 && look.revents & POLLHUP;
}

/* Keeps an eye on a process that is not our child. Its pid, or -errno. */
static int watch(struct child *place, struct child child, int pidfd) {
  child.pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
  if (child.pidfd < 0)
    return -errno;
  child.watched = 1;
  *place = child;
  supervisor.watched++;
  return child.pid;
}

/* Writes that an exec runs, with what tells it from others that have its number later. */
static int write_running(const struct child *child, const char *start_time) {
  char json[256], name[64];
  struct text t = TEXT_IN(json);
  exec_name(name, sizeof name, child->pid, child->begun);
  text_add(&t, "{\"pid\":");
  text_add_number(&t, (uint64_t)child->pid);
  text_add(&t, ",\"startTime\":\"");
  text_add(&t, start_time);
  text_add(&t, "\",\"running\":true}\n");
  return write_json(name, &t);
}

/* Later than that of any exec before. */
static uint64_t begin_exec(void) {
  static uint64_t last;
  uint64_t ns = clock_ns(CLOCK_MONOTONIC);
  last = ns > last ? ns : last + 1;
  return last;
}

/* ADOPT_REQUEST, what it is ("init" or "exec"), pid, start time, with a pidfd: one of our
 * children, of which a request has not told yet, is the container's init process or an exec. Its
 * pid, and in *begun with that the name of an exec's record; -ESRCH when it has ended and was
 * reaped, -EBADMSG when that is not what is asked. */
static int adopt(const char *const fields[], int n, const struct request *r, uint64_t *begun) {
  uint64_t pid, start_time;
  if (n != 4 || r->count != 1 || number(fields[2], INT_MAX, &pid) || !pid ||
      number(fields[3], UINT64_MAX, &start_time))
    return -EBADMSG;
  int is_init = !strcmp(fields[1], CHILD_INIT);
  if (!is_init && strcmp(fields[1], CHILD_EXEC))
    return -EBADMSG;
  if (is_init ? !supervisor.awaited : supervisor.ended)
    return -ESRCH;
  int ours = is_child(r->fds[0]);
  if (!ours && errno != ECHILD)
    return -errno;
  /* Begun by a supervisor that was killed then. */
  if (!ours && (!supervisor.heir || is_over(r->fds[0])))
    return -ESRCH;
  struct child *place = find((pid_t)pid);
  /* The supervisor before this one was killed before it could answer. */
  if (place && !is_init && place->kind == KIND_EXEC) {
    *begun = place->begun;
    return (int)pid;
  }
  if (place && place->kind != KIND_JOINING)
    return -EEXIST;
  if (!place && !(place = find(0)))
    return -EAGAIN;
  struct child child = {.pid = (pid_t)pid, .kind = is_init ? KIND_INIT : KIND_EXEC};
  if (is_init)
    supervisor.awaited = 0;
  else {
    child.begun = *begun = begin_exec();
    if (write_running(&child, fields[3]))
      return -errno;
  }
  if (!ours)
    return watch(place, child, r->fds[0]);
  *place = child;
  return (int)pid;
}

/* WATCH_REQUEST, "init" or "exec", pid, "" or begun, OOM file, with a pidfd: a process that the
 * supervisor before this one had started. The init process comes last: then all is taken over. */
static int inherit(const char *const fields[], int n, const struct request *r) {
  uint64_t pid, begun = 0;
  if (!supervisor.heir || supervisor.started || n != 5 || r->count != 1 ||
      number(fields[2], INT_MAX, &pid) || !pid || strlen(fields[4]) >= PATH_MAX)
    return -EBADMSG;
  int is_init = !strcmp(fields[1], CHILD_INIT);
  if (!is_init && (strcmp(fields[1], CHILD_EXEC) || number(fields[3], UINT64_MAX, &begun)))
    return -EBADMSG;
  struct child *place = find(0);
  if (!place)
    return -EAGAIN;
  struct child child = {.pid = (pid_t)pid, .kind = is_init ? KIND_INIT : KIND_EXEC, .begun = begun};
  int result = watch(place, child, r->fds[0]);
  if (result > 0 && is_init) {
    watch_memory(fields[4]);
    supervisor.started = 1;
  }
  return result;
}

/* UNREAD_REQUEST, pid, begun: a record that the supervisor before this one wrote. */
static int inherit_unread(const char *const fields[], int n) {
  uint64_t pid, begun;
  if (!supervisor.heir || supervisor.started || n != 3 || number(fields[1], INT_MAX, &pid) ||
      number(fields[2], UINT64_MAX, &begun))
    return -EBADMSG;
  note_unread((pid_t)pid, begun);
  return (int)pid;
}

/* FORGET_REQUEST, pid, begun: nobody will ask how this exec ended, or how it will. */
static int forget_exec(const char *const fields[], int n) {
  uint64_t pid, begun;
  if (n != 3 || number(fields[1], INT_MAX, &pid) || number(fields[2], UINT64_MAX, &begun))
    return -EBADMSG;
  struct child *child = find((pid_t)pid);
  if (child && child->begun == begun)
    child->kind = KIND_JOINING;
  remove_exec((pid_t)pid, begun);
  return (int)pid;
}

static void answer(int connection, int result, int pidfd, const char *call, uint64_t begun) {
  char text[96];
  struct text t = TEXT_IN(text);
  text_add(&t, result < 0 ? ANSWER_ERROR : ANSWER_PID);
  text_add_char(&t, ' ');
  text_add_number(&t, (uint64_t)(result < 0 ? -result : result));
  if (result < 0 && *call) {
    text_add_char(&t, ' ');
    text_add(&t, call);
  }
  if (result >= 0 && begun) {
    text_add_char(&t, ' ');
    text_add_number(&t, begun);
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

/* Reads one request and answers it. 0, or -1 when the other end is gone. A client that is slow to
 * ask is dropped: nobody else could be served meanwhile. */
static int serve(int connection) {
  static char data[REQUEST_MAX];
  static union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
  } control;
  struct timeval patience = {.tv_sec = 2};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct iovec part = {data, sizeof data};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (n <= 0)
    return -1;
  struct request r = {.image = -1, .cgroup = -1};
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
      size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count && r.count < MESSAGE_FDS_MAX; i++)
        memcpy(&r.fds[r.count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
  int pidfd = -1, result = -EBADMSG;
  struct failure f = {0};
  uint64_t begun = 0;
  const char *fields[5 + MESSAGE_FDS_MAX];
  int count = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)
                  ? -1
                  : split(data, (size_t)n, fields, sizeof fields / sizeof *fields);
  if (count > 0 && !strcmp(fields[0], SPAWN_REQUEST))
    result = spawn(fields, count, &r, &pidfd, &f);
  else if (count > 0 && !strcmp(fields[0], ADOPT_REQUEST))
    result = adopt(fields, count, &r, &begun);
  else if (count > 0 && !strcmp(fields[0], FORGET_REQUEST))
    result = forget_exec(fields, count);
  else if (count > 0 && !strcmp(fields[0], WATCH_REQUEST))
    result = inherit(fields, count, &r);
  else if (count > 0 && !strcmp(fields[0], UNREAD_REQUEST))
    result = inherit_unread(fields, count);
  answer(connection, result, pidfd, f.call, begun);
  close_cleanup(&pidfd);
  for (size_t i = 0; i < r.count; i++)
    close(r.fds[i]);
  return 0;
}

/* One connection is one request. Another user's is closed before anything of it is read. */
static void accept_one(void) {
  int connection CLEANUP_CLOSE = accept4(supervisor.listener, NULL, NULL, SOCK_CLOEXEC);
  if (connection >= 0 && peer_is(connection, geteuid(), 1))
    serve(connection);
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
      if (!is_refused(SYS_close_range))
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

/* Waits until something happens, and does what is to be done. Nonzero when all is over. */
static int turn(int signals) {
  enum { SIGNALS, LISTENER, SYNC, MEMORY, FIXED };
  static struct pollfd fds[FIXED + CHILDREN_MAX];
  static struct child *watched[CHILDREN_MAX];
  /* Until all is taken over a request waits in the queue. */
  int serves = !supervisor.heir || supervisor.started;
  fds[SIGNALS] = (struct pollfd){signals, POLLIN, 0};
  fds[LISTENER] = (struct pollfd){serves ? supervisor.listener : -1, POLLIN, 0};
  fds[SYNC] = (struct pollfd){supervisor.sync, POLLIN, 0};
  fds[MEMORY] = (struct pollfd){memory_events(), POLLIN, 0};
  size_t n = 0;
  int late = 0; /* one has ended that its parent has not reaped */
  for (int i = 0; supervisor.watched && i < children_end; i++)
    if (children[i].pid && children[i].watched) {
      late |= children[i].ended != 0;
      watched[n] = &children[i];
      fds[FIXED + n++] = (struct pollfd){children[i].pidfd, children[i].ended ? 0 : POLLIN, 0};
    }
  if (poll(fds, FIXED + n, late ? 1000 : -1) < 0)
    return errno != EINTR;
  if (fds[MEMORY].revents)
    memory_ran_out();
  for (size_t i = 0; i < n; i++)
    if (fds[FIXED + i].revents || watched[i]->ended)
      look_at(watched[i], fds[FIXED + i].revents);
  int busy = 1;
  if (fds[SIGNALS].revents || n) {
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) > 0)
      ;
    busy = reap() || supervisor.watched;
  }
  if (!busy && (supervisor.ended || supervisor.awaited))
    return 1;
  if (fds[LISTENER].revents)
    accept_one();
  if (!fds[SYNC].revents)
    return 0;
  if (!supervisor.heir || serve(supervisor.sync))
    return !supervisor.started; /* the runtime ended before it had a container started */
  if (supervisor.started) {
    close(supervisor.sync);
    supervisor.sync = -1;
  }
  return 0;
}

int supervise(const char *data, size_t length) {
  struct cursor c = {data, data + length};
  uint64_t listener, state, heir;
  c.at += sizeof SUPERVISE_MAGIC;
  if (next_number(&c, &listener) || next_number(&c, &state) || next_number(&c, &heir) ||
      c.at != c.end || listener > INT_MAX || state > INT_MAX || heir > 1) {
    fail_with(EBADMSG, "supervise", "the request cannot be decoded");
    return not_started();
  }
  supervisor.sync = init.report;
  supervisor.listener = (int)listener;
  supervisor.state = (int)state;
  supervisor.heir = (int)heir;
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
  for (;;)
    if (turn(signals))
      return 0;
}
