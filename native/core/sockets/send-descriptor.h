/* One message over a unix socket with at most one descriptor (SCM_RIGHTS, unix(7)). */
#ifndef RUNT_SEND_DESCRIPTOR_H
#define RUNT_SEND_DESCRIPTOR_H
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Returns the number of bytes sent, or -1 with errno; sends no descriptor when fd is -1. */
static inline ssize_t send_descriptor(int socket, struct iovec *parts, size_t count, int fd) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  ssize_t n;
  do
    n = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n;
}
#endif
