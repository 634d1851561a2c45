/* Unix sockets, the descriptors sent over them, and waits for them. */
#include "../core.h"
#include "../time-limits.h"
#include "peer.h"
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

static int32_t make_pair(int type, uint8_t *data, uint32_t data_cap) {
  int pair[2];
  if (data_cap < 2 * 8)
    return -EOVERFLOW;
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
    return -errno;
  put_i64(data, 0, pair[0]);
  put_i64(data, 1, pair[1]);
  return 0;
}

int32_t runt_socketPair(uint8_t *data, uint32_t data_cap) {
  return make_pair(SOCK_STREAM, data, data_cap);
}

int32_t runt_packetPair(uint8_t *data, uint32_t data_cap) {
  return make_pair(SOCK_SEQPACKET, data, data_cap);
}

int32_t runt_pipe(uint8_t *data, uint32_t data_cap) {
  int ends[2];
  if (data_cap < 2 * 8)
    return -EOVERFLOW;
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -errno;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
  }
  put_i64(data, 0, ends[0]);
  put_i64(data, 1, ends[1]);
  return 0;
}

/* An address of at most 107 bytes, however long the directory's path is. */
static int address(struct sockaddr_un *a, int32_t dirfd, const char *name) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  int n = dirfd == AT_FDCWD || name[0] == '/'
              ? snprintf(a->sun_path, sizeof a->sun_path, "%s", name)
              : snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
  if (!name[0])
    return -ENOENT; /* an empty path would be an abstract address */
  return n < 0 || (size_t)n >= sizeof a->sun_path ? -ENAMETOOLONG : 0;
}

int32_t runt_unixListen(int32_t dirfd, const char *name, int32_t backlog) {
  struct sockaddr_un a;
  int r = address(&a, dirfd, name);
  if (r < 0)
    return r;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  /* The file that bind makes has the socket's mode (unix(7)): it is never open to others. */
  if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
      listen(fd, backlog) < 0) {
    close_fd(&fd);
    return -errno;
  }
  return fd;
}

int32_t runt_accept(int32_t socket) {
  /* cppcheck-suppress nullPointer ; accept4(2) takes no address */
  AUTO_CLOSE int fd = RETRY(accept4(socket, NULL, NULL, SOCK_CLOEXEC));
  if (fd < 0)
    return -errno;
  if (!peer_is(fd, geteuid(), 1))
    return -EACCES;
  int connection = fd;
  fd = -1;
  return connection;
}

int32_t runt_trustedPeer(int32_t socket) { return peer_is(socket, geteuid(), 1); }

int32_t runt_unixConnect(int32_t dirfd, const char *name) {
  struct sockaddr_un a;
  int r = address(&a, dirfd, name);
  if (r < 0)
    return r;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  /* A blocking connect(2) waits without limit when the listener's queue is full. A connection to a
   * Unix socket is never in progress: it exists, or the queue is full (EAGAIN). */
  if (RETRY(connect(fd, (struct sockaddr *)&a, sizeof a)) < 0 || fcntl(fd, F_SETFL, 0) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int32_t runt_datagramBind(int32_t dirfd, const char *name, int32_t mode) {
  struct sockaddr_un a;
  int r = address(&a, dirfd, name);
  if (r < 0)
    return r;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  /* bind cuts the socket's mode by the umask: set the file's mode again. */
  if (fchmod(fd, (mode_t)mode) < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
      fchmodat(AT_FDCWD, a.sun_path, (mode_t)mode, 0) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int32_t runt_datagramConnect(const char *to) {
  struct sockaddr_un a;
  int r = address(&a, AT_FDCWD, to);
  if (r < 0)
    return r;
  /* An abstract address starts with NUL and ends with its last byte (unix(7)). */
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to));
  if (to[0] == '@')
    a.sun_path[0] = 0;
  else
    length++;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  struct timeval timeout = {.tv_sec = NOTIFY_SEND_TIME / 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
      RETRY(connect(fd, (struct sockaddr *)&a, length)) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int32_t runt_send(int32_t socket, const uint8_t *data, uint32_t data_len) {
  if (data_len > INT32_MAX)
    return -EINVAL;
  return result(RETRY(send(socket, data, data_len, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

int32_t runt_closesOnExec(int32_t fd) {
  int flags = fcntl(fd, F_GETFD);
  return flags < 0 ? -errno : (flags & FD_CLOEXEC) != 0;
}

int32_t runt_duplicate(int32_t fd) { return result(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

int32_t runt_sendFds(int32_t socket, const uint8_t *fds, uint32_t fds_len, const uint8_t *data,
                     uint32_t data_len) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
  } control;
  /* On a stream, descriptors travel with a byte; without one they would be lost silently. */
  if (fds_len % 4 || fds_len > MESSAGE_FDS_MAX * 4 || data_len == 0 || data_len > INT32_MAX)
    return -EINVAL;
  struct iovec part = {(void *)(uintptr_t)data, data_len};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fds_len) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds_len);
    struct cmsghdr *c = &control.align;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds_len);
    memcpy(CMSG_DATA(c), fds, fds_len);
  }
  return result(RETRY(sendmsg(socket, &message, MSG_NOSIGNAL)));
}

int32_t runt_receiveFds(int32_t socket, uint8_t *data, uint32_t data_cap, uint8_t *fds,
                        uint32_t fds_cap) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
  } control;
  struct iovec part = {data, data_cap};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t n = RETRY(recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
  if (n < 0)
    return -errno;
  size_t room = fds_cap / 4, count = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t came = (c->cmsg_len - CMSG_LEN(0)) / 4;
    for (size_t i = 0; i < came; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * 4, 4);
      if (count < room)
        memcpy(fds + 4 * count++, &fd, 4);
      else
        close(fd); /* more than requested must not leak */
    }
  }
  for (int none = -1; count < room; count++)
    memcpy(fds + 4 * count, &none, 4);
  return (int32_t)n;
}
