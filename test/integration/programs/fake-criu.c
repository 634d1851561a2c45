/* A criu that needs no support in the kernel: `fake-criu swrk FD` responds to one request as
 * criu does, and saves nothing. Variables of the requester, as criu has none of them: FAKE_ENV
 * (file for its own environment), FAKE_VERSION (MAJOR.MINOR, 3.17), FAKE_ERROR (a request fails
 * with this message), FAKE_OUT (file for the request's bytes), FAKE_SCRIPTS (file for each
 * notification and its response), FAKE_PTY (a restore sends a terminal), FAKE_ENDS (the restored
 * process is killed at once), FAKE_HANG (a restore does nothing until the requester exits),
 * FAKE_HEIR (ends at once, while a child holds the socket open until the requester exits). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DUMP = 1, RESTORE = 2, PRE_DUMP = 4, NOTIFY = 6, VERSION = 10 };

static int sock;

struct message {
  uint8_t bytes[1024];
  size_t size;
};

static void varint(struct message *m, uint64_t v) {
  do
    m->bytes[m->size++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
  while (v >>= 7);
}
static void number(struct message *m, unsigned field, uint64_t v) {
  varint(m, field << 3);
  varint(m, v);
}
static void bytes(struct message *m, unsigned field, const void *data, size_t size) {
  varint(m, field << 3 | 2);
  varint(m, size);
  memcpy(m->bytes + m->size, data, size);
  m->size += size;
}

/* The value of an integer field, or of the bytes of a submessage (size in *size); `missing` if it
 * is absent. */
static uint64_t field(const uint8_t *p, size_t length, unsigned wanted, const uint8_t **at,
                      size_t *size, uint64_t missing) {
  const uint8_t *end = p + length;
  while (p < end) {
    uint64_t key = 0, value = 0;
    for (int shift = 0; p < end; shift += 7) {
      key |= (uint64_t)(*p & 0x7f) << shift;
      if (!(*p++ & 0x80))
        break;
    }
    for (int shift = 0; p < end; shift += 7) {
      value |= (uint64_t)(*p & 0x7f) << shift;
      if (!(*p++ & 0x80))
        break;
    }
    int is_bytes = (key & 7) == 2;
    if (key >> 3 == wanted) {
      if (at)
        *at = p, *size = value;
      return value;
    }
    if (is_bytes)
      p += value;
  }
  return missing;
}

static void answer(const struct message *m, int fd) {
  struct iovec part = {(void *)m->bytes, m->size};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    h.msg_control = control.bytes;
    h.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  if (sendmsg(sock, &h, 0) < 0)
    exit(3);
}

static int notify(const char *script, pid_t pid, int fd) {
  struct message inner = {0}, m = {0};
  bytes(&inner, 1, script, strlen(script));
  number(&inner, 2, (uint64_t)pid);
  number(&m, 1, NOTIFY);
  number(&m, 2, 1);
  bytes(&m, 5, inner.bytes, inner.size);
  answer(&m, fd);
  uint8_t reply[64];
  ssize_t n = recv(sock, reply, sizeof reply, 0);
  int ok = n > 0 && field(reply, (size_t)n, 1, NULL, NULL, 0) == NOTIFY &&
           field(reply, (size_t)n, 3, NULL, NULL, 0) == 1;
  FILE *f = getenv("FAKE_SCRIPTS") ? fopen(getenv("FAKE_SCRIPTS"), "a") : NULL;
  if (f) {
    fprintf(f, "%s %s\n", script, ok ? "yes" : "no");
    fclose(f);
  }
  return ok;
}

static void done(int type, const char *error, pid_t restored) {
  struct message m = {0}, inner = {0};
  number(&m, 1, (uint64_t)type);
  number(&m, 2, error == NULL);
  if (restored > 0) {
    number(&inner, 1, (uint64_t)restored);
    bytes(&m, 4, inner.bytes, inner.size);
  }
  if (error)
    bytes(&m, 9, error, strlen(error));
  answer(&m, -1);
  exit(0);
}

/* Writes the log in the work directory, opened as criu does: by the descriptor number in the
 * requester. */
static void write_log(const uint8_t *opts, size_t size, const char *name, const char *text) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  char path[128];
  getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  snprintf(path, sizeof path, "/proc/%d/fd/%d/%s", peer.pid,
           (int)field(opts, size, 17, NULL, NULL, 0), name);
  FILE *f = fopen(path, "w");
  if (!f)
    exit(4);
  fprintf(f, "(00.000001) begin\n(00.000002) Error (criu/fake.c:1): %s\n", text);
  fclose(f);
}

static pid_t sibling(void) {
  struct clone_args args = {.flags = CLONE_PARENT};
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) {
    close(sock);
    setsid();
    execl("/bin/sleep", "sleep", "1000", NULL);
    _exit(127);
  }
  return pid;
}

/* Writes the environment to the file FAKE_ENV of the requester, then takes over its FAKE_*. */
static void take_variables(void) {
  static char own[65536], theirs[65536];
  struct ucred peer;
  socklen_t length = sizeof peer;
  char path[64];
  int fd = open("/proc/self/environ", O_RDONLY);
  ssize_t n = read(fd, own, sizeof own);
  close(fd);
  getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  snprintf(path, sizeof path, "/proc/%d/environ", peer.pid);
  fd = open(path, O_RDONLY);
  ssize_t size = read(fd, theirs, sizeof theirs - 1);
  close(fd);
  for (char *entry = theirs; entry < theirs + size; entry += strlen(entry) + 1)
    if (!strncmp(entry, "FAKE_", 5))
      putenv(entry);
  if (getenv("FAKE_ENV")) {
    fd = open(getenv("FAKE_ENV"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(fd, own, (size_t)n) != n)
      exit(6);
    close(fd);
  }
}

int main(int argc, char **argv) {
  if (argc != 3 || strcmp(argv[1], "swrk") != 0)
    return 2;
  sock = atoi(argv[2]);
  take_variables();
  static uint8_t request[65536];
  ssize_t n = recv(sock, request, sizeof request, 0);
  if (n <= 0)
    return 2;
  int type = (int)field(request, (size_t)n, 1, NULL, NULL, 0);
  if (type == VERSION) {
    struct message m = {0}, inner = {0};
    unsigned major = 3, minor = 17;
    if (getenv("FAKE_VERSION"))
      sscanf(getenv("FAKE_VERSION"), "%u.%u", &major, &minor);
    number(&inner, 1, major);
    number(&inner, 2, minor);
    number(&m, 1, VERSION);
    number(&m, 2, 1);
    bytes(&m, 10, inner.bytes, inner.size);
    answer(&m, -1);
    return 0;
  }
  if (getenv("FAKE_OUT")) {
    FILE *f = fopen(getenv("FAKE_OUT"), "w");
    fwrite(request, 1, (size_t)n, f);
    fclose(f);
  }
  if (getenv("FAKE_HEIR"))
    return fork() ? 3 : recv(sock, request, sizeof request, 0) <= 0 ? 1 : 2;
  const uint8_t *opts = NULL;
  size_t size = 0;
  field(request, (size_t)n, 2, &opts, &size, 0);
  const char *error = getenv("FAKE_ERROR");
  if (error) {
    write_log(opts, size, type == RESTORE ? "restore.log" : "dump.log", error);
    if (!*error)
      return 1; /* no response */
    done(type, error, 0);
  }
  if (type == RESTORE && getenv("FAKE_HANG"))
    return recv(sock, request, sizeof request, 0) <= 0 ? 1 : 2;
  if (type == RESTORE) {
    pid_t pid = sibling();
    const char *why = NULL;
    if (!notify("setup-namespaces", pid, -1))
      why = "setup-namespaces was refused";
    int master = -1;
    if (!why && getenv("FAKE_PTY")) {
      master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
      /* The slave, open until this program ends: then the master sees a hangup. */
      if (unlockpt(master) < 0 || open(ptsname(master), O_RDWR | O_NOCTTY) < 0)
        return 5;
      if (!notify("orphan-pts-master", 0, master))
        why = "orphan-pts-master was refused";
    }
    if (!why && !notify("post-restore", pid, -1))
      why = "post-restore was refused";
    if (why || getenv("FAKE_ENDS"))
      kill(pid, SIGKILL);
    done(type, why, why ? 0 : pid);
  }
  pid_t pid = (pid_t)field(opts, size, 2, NULL, NULL, 0);
  const char *scripts[] = {"pre-dump", "network-lock", "status-ready", "post-dump"};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
    if (!notify(scripts[i], pid, -1))
      done(type, "a notification was refused", 0);
  if (!field(opts, size, 3, NULL, NULL, 0))
    kill(pid, SIGKILL);
  done(type, NULL, 0);
}
