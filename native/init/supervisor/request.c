/* Requests to the supervisor, one per connection: start, adopt, watch or forget a process. */
#include "../../core/clock.h"
#include "../../core/sockets/peer.h"
#include "../../core/sockets/send-descriptor.h"
#include "../../core/time-limits.h"
#include "../cgroup/oom-count.h"
#include "../text.h"
#include "supervisor.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* ms, more than any duration of Go; its ns fit into 64 bits. */
#define LIMIT_TIME_MAX (300ull * 366 * 24 * 3600 * 1000)

/* Splits a request into its NUL-terminated fields. Returns how many, or -1. */
static int split_fields(const char *data, size_t length, const char *fields[], size_t max) {
  size_t n = 0;
  if (!length || data[length - 1])
    return -1;
  for (const char *at = data; at < data + length; at += strlen(at) + 1) {
    if (n == max)
      return -1;
    fields[n++] = at;
  }
  return (int)n;
}

static int number(const char *field, uint64_t max, uint64_t *out) {
  return text_number(field, strlen(field), max, out);
}

/* A start request: magic, clone flags, the child's number of the sync descriptor, kind, OOM file,
 * and for each descriptor its number in the child, "image" or "cgroup". */
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
    if (!strcmp(fields[5 + i], REQUEST_FD_IMAGE))
      r->image = (int)i;
    else if (!strcmp(fields[5 + i], REQUEST_FD_CGROUP))
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
    watch_oom(r->oom_file);
  if (r->kind != KIND_JOINING && reserve_init_end()) {
    *f = (struct failure){.error = errno, .call = "write"};
    return -f->error;
  }
  int result = start_child(r, pidfd, f);
  if (result > 0 && r->kind != KIND_JOINING) {
    supervisor.started = 1;
    supervisor.awaited = r->kind == KIND_SUCCESSOR;
    close(supervisor.sync);
    supervisor.sync = -1;
  }
  if (supervisor.orphaned)
    kill_children();
  return result;
}

/* Whether the process of a pidfd is an unreaped child: until it is reaped no other gets its pid. */
static int is_child(int pidfd) {
  siginfo_t info;
  return !waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
}

static int is_reaped(int pidfd) {
  struct pollfd look = {pidfd, POLLIN, 0};
  return poll(&look, 1, 0) > 0 && look.revents & POLLHUP;
}

/* Start time of an exec, later than that of any exec before. */
static uint64_t next_exec_time(void) {
  static uint64_t last;
  uint64_t ns = (uint64_t)clock_ns(CLOCK_MONOTONIC);
  last = ns > last ? ns : last + 1;
  return last;
}

/* ADOPT_REQUEST, "init" or "exec", pid, start time, with a pidfd: one of our children, which no
 * request has named yet, is the container's init process or an exec. Returns its pid, and in
 * *registered_at the time in the name of an exec's record; -ESRCH when it has ended and was reaped,
 * -EBADMSG when the request is malformed. */
static int adopt(const char *const fields[], int n, const struct request *r,
                 uint64_t *registered_at) {
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
  /* Started by a supervisor that was then killed. */
  if (!ours && (!supervisor.heir || is_reaped(r->fds[0])))
    return -ESRCH;
  struct child *slot = find_child((pid_t)pid);
  /* The previous supervisor was killed before it could answer. */
  if (slot && !is_init && slot->kind == KIND_EXEC) {
    *registered_at = slot->registered_at;
    return (int)pid;
  }
  if (slot && slot->kind != KIND_JOINING)
    return -EEXIST;
  if (!slot && !(slot = find_child(0)))
    return -EAGAIN;
  struct child child = {.pid = (pid_t)pid, .kind = is_init ? KIND_INIT : KIND_EXEC};
  if (is_init)
    supervisor.awaited = 0;
  else {
    child.registered_at = *registered_at = next_exec_time();
    if (write_exec_running(&child, fields[3]))
      return -errno;
  }
  if (!ours)
    return watch_child(slot, child, r->fds[0]);
  *slot = child;
  if (supervisor.orphaned)
    kill_children();
  return (int)pid;
}

/* WATCH_REQUEST, "init" or "exec", pid, "" or begun, OOM file, with a pidfd: a process that the
 * previous supervisor started. The init process is the last one: then the handover is complete. */
static int inherit(const char *const fields[], int n, const struct request *r) {
  uint64_t pid, registered_at = 0;
  if (!supervisor.heir || supervisor.started || n != 5 || r->count != 1 ||
      number(fields[2], INT_MAX, &pid) || !pid || strlen(fields[4]) >= PATH_MAX)
    return -EBADMSG;
  int is_init = !strcmp(fields[1], CHILD_INIT);
  if (!is_init && (strcmp(fields[1], CHILD_EXEC) || number(fields[3], UINT64_MAX, &registered_at)))
    return -EBADMSG;
  struct child *slot = find_child(0);
  if (!slot)
    return -EAGAIN;
  struct child child = {
      .pid = (pid_t)pid, .kind = is_init ? KIND_INIT : KIND_EXEC, .registered_at = registered_at};
  int result = watch_child(slot, child, r->fds[0]);
  if (result > 0 && !is_init)
    reserve_exec_end((pid_t)pid, registered_at);
  if (result > 0 && is_init) {
    /* Without space now there may be some later. */
    (void)!reserve_init_end();
    watch_oom(fields[4]);
    supervisor.started = 1;
  }
  return result;
}

/* UNREAD_REQUEST, pid, begun: a record that the previous supervisor wrote. */
static int inherit_unread(const char *const fields[], int n) {
  uint64_t pid, registered_at;
  if (!supervisor.heir || supervisor.started || n != 3 || number(fields[1], INT_MAX, &pid) ||
      number(fields[2], UINT64_MAX, &registered_at))
    return -EBADMSG;
  note_unread((pid_t)pid, registered_at);
  return (int)pid;
}

/* FORGET_REQUEST, pid, begun: no request will ask how this exec ended, or will end. */
static int forget_exec(const char *const fields[], int n) {
  uint64_t pid, registered_at;
  if (n != 3 || number(fields[1], INT_MAX, &pid) || number(fields[2], UINT64_MAX, &registered_at))
    return -EBADMSG;
  struct child *child = find_child((pid_t)pid);
  if (child && child->registered_at == registered_at)
    child->kind = KIND_JOINING;
  remove_exec((pid_t)pid, registered_at);
  return (int)pid;
}

/* Keeps a descriptor of the container's freezer. 0, or -errno. */
static int keep_freezer(int fd) {
  int kept = sys_duplicate(fd);
  if (kept < 0)
    return -errno;
  close_cleanup(&supervisor.freezer);
  supervisor.freezer = kept;
  return 0;
}

/* LIMIT_REQUEST, pid, ms until TERM, ms from TERM to KILL, of the init process perhaps with a
 * descriptor of the freezer: the time limit of a child. */
static int limit_child(const char *const fields[], int n, const struct request *r) {
  uint64_t pid, time, stop_time;
  if (n != 4 || number(fields[1], INT_MAX, &pid) || !pid ||
      number(fields[2], LIMIT_TIME_MAX, &time) || number(fields[3], LIMIT_TIME_MAX, &stop_time) ||
      r->count > 1)
    return -EBADMSG;
  struct child *child = find_child((pid_t)pid);
  if (!child)
    return -ESRCH;
  int error = r->count ? keep_freezer(r->fds[0]) : 0;
  if (error)
    return error;
  child->limit = (uint64_t)clock_ns(CLOCK_MONOTONIC) + time * 1000000;
  child->stop_time = stop_time * 1000000;
  return (int)pid;
}

/* ORPHAN_REQUEST, pid, begun: a guard is about to kill this exec, with whose parent it ends. */
static int note_orphan(const char *const fields[], int n) {
  uint64_t pid, registered_at;
  if (n != 3 || number(fields[1], INT_MAX, &pid) || !pid ||
      number(fields[2], UINT64_MAX, &registered_at))
    return -EBADMSG;
  struct child *child = find_child((pid_t)pid);
  if (!child || child->registered_at != registered_at)
    return -ESRCH;
  /* What ends it first is the reason. */
  if (!child->reason)
    child->reason = REASON_PARENT;
  return (int)pid;
}

static void answer(int connection, int result, int pidfd, const char *call,
                   uint64_t registered_at) {
  char text[96];
  struct text t = TEXT_IN(text);
  text_add(&t, result < 0 ? ANSWER_ERROR : ANSWER_PID);
  text_add_char(&t, ' ');
  text_add_number(&t, (uint64_t)(result < 0 ? -result : result));
  if (result < 0 && *call) {
    text_add_char(&t, ' ');
    text_add(&t, call);
  }
  if (result >= 0 && registered_at) {
    text_add_char(&t, ' ');
    text_add_number(&t, registered_at);
  }
  struct iovec data = {text, t.length + 1};
  send_descriptor(connection, &data, 1, pidfd);
}

/* Reads one request and answers it. 0, or -1 when the other end is gone. */
int serve(int connection) {
  static char data[REQUEST_MAX];
  static union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
  } control;
  struct timeval timeout = {.tv_sec = REQUEST_TIME / 1000};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
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
  uint64_t registered_at = 0;
  const char *fields[5 + MESSAGE_FDS_MAX];
  int count = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)
                  ? -1
                  : split_fields(data, (size_t)n, fields, sizeof fields / sizeof *fields);
  if (count > 0 && !strcmp(fields[0], SPAWN_REQUEST))
    result = spawn(fields, count, &r, &pidfd, &f);
  else if (count > 0 && !strcmp(fields[0], ADOPT_REQUEST))
    result = adopt(fields, count, &r, &registered_at);
  else if (count > 0 && !strcmp(fields[0], FORGET_REQUEST))
    result = forget_exec(fields, count);
  else if (count > 0 && !strcmp(fields[0], WATCH_REQUEST))
    result = inherit(fields, count, &r);
  else if (count > 0 && !strcmp(fields[0], LIMIT_REQUEST))
    result = limit_child(fields, count, &r);
  else if (count > 0 && !strcmp(fields[0], FOLLOW_REQUEST))
    result = follow(fields, count, &r);
  else if (count > 0 && !strcmp(fields[0], ORPHAN_REQUEST))
    result = note_orphan(fields, count);
  else if (count > 0 && !strcmp(fields[0], UNREAD_REQUEST))
    result = inherit_unread(fields, count);
  answer(connection, result, pidfd, f.call, registered_at);
  close_cleanup(&pidfd);
  for (size_t i = 0; i < r.count; i++)
    close(r.fds[i]);
  return 0;
}

/* One connection is one request. Another user's connection is closed before it is read. */
void accept_one(void) {
  /* cppcheck-suppress nullPointer ; accept4(2) takes no address */
  int connection CLEANUP_CLOSE = accept4(supervisor.listener, NULL, NULL, SOCK_CLOEXEC);
  if (connection >= 0 && peer_is(connection, geteuid(), 1))
    serve(connection);
}
