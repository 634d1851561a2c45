/* A seccomp agent: agent SOCKET ERRNO. Prints each message that arrives with a listener on a
 * line of standard output, and responds to the listener's calls with ERRNO; 0 lets them
 * continue. */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int socket) {
  static char text[65536];
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec io = {text, sizeof text - 1};
  struct msghdr m = {.msg_iov = &io,
                     .msg_iovlen = 1,
                     .msg_control = control.room,
                     .msg_controllen = sizeof control.room};
  ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
  int fd = -1;
  if (n > 0 && CMSG_FIRSTHDR(&m))
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
  ssize_t more = n > 0 ? read(socket, text + n, sizeof text - 1 - (size_t)n) : 0;
  text[n > 0 ? n : 0] = 0;
  printf("%s%s\n", text, more ? " more came" : "");
  fflush(stdout);
  return fd;
}

static void answer(int listener, int error) {
  struct seccomp_notif request = {0};
  struct seccomp_notif_resp response = {0};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
    return;
  printf("call %d\n", request.data.nr);
  fflush(stdout);
  response.id = request.id;
  if (error)
    response.error = -error;
  else
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

int main(int argc, char **argv) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (argc != 3 || strlen(argv[1]) >= sizeof a.sun_path)
    return 2;
  strcpy(a.sun_path, argv[1]);
  int error = atoi(argv[2]), s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 8))
    return 1;
  printf("ready\n");
  fflush(stdout);
  struct pollfd fds[64] = {{.fd = s, .events = POLLIN}};
  for (unsigned count = 1;;) {
    if (poll(fds, count, -1) < 0 && errno != EINTR)
      return 1;
    for (unsigned i = count - 1; i > 0; i--) {
      if (fds[i].revents & POLLIN)
        answer(fds[i].fd, error);
      else if (fds[i].revents) {
        close(fds[i].fd);
        fds[i] = fds[--count];
      }
    }
    if (fds[0].revents & POLLIN && count < 64) {
      int c = accept(s, NULL, NULL), fd = receive(c);
      close(c);
      if (fd >= 0)
        fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
  }
}
