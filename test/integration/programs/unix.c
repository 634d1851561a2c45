/* Unix sockets for tests. unix datagrams PATH: prints each datagram on a line, and closes
 * descriptors that arrive with it. unix send PATH TEXT: sends a datagram. unix pidfd PATH:
 * accepts one connection and prints the data, then the pid of the pidfd that arrived with it.
 * Servers print "ready" first. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static ssize_t receive(int socket, char *text, size_t size, int *fd) {
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec io = {text, size - 1};
  struct msghdr m = {.msg_iov = &io,
                     .msg_iovlen = 1,
                     .msg_control = control.room,
                     .msg_controllen = sizeof control.room};
  ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
  *fd = -1;
  if (n > 0 && CMSG_FIRSTHDR(&m))
    memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof *fd);
  text[n > 0 ? n : 0] = 0;
  return n;
}

static void print_pid(int pidfd) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "Pid:", 4))
      printf("%s", line);
}

int main(int argc, char **argv) {
  char text[4096];
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (argc < 3 || strlen(argv[2]) >= sizeof a.sun_path)
    return 2;
  strcpy(a.sun_path, argv[2]);
  socklen_t length = sizeof a;
  if (argv[2][0] == '@') {
    a.sun_path[0] = 0;
    length = (socklen_t)(sizeof a.sun_family + strlen(argv[2]));
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int fd, s, stream = !strcmp(argv[1], "pidfd");
  s = socket(AF_UNIX, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
  if (!strcmp(argv[1], "send")) {
    if (sendto(s, argv[3], strlen(argv[3]), 0, (struct sockaddr *)&a, length) < 0)
      return perror("sendto"), 1;
    return 0;
  }
  if (bind(s, (struct sockaddr *)&a, length) || (stream && listen(s, 1)))
    return perror("bind"), 1;
  printf("ready\n");
  if (stream) {
    int connection = accept(s, NULL, NULL);
    receive(connection, text, sizeof text, &fd);
    printf("%s\n", text);
    print_pid(fd);
    return 0;
  }
  while (receive(s, text, sizeof text, &fd) >= 0) {
    if (fd >= 0)
      close(fd);
    size_t end = strlen(text);
    printf("%s%s", text, end && text[end - 1] == '\n' ? "" : "\n");
  }
  return 1;
}
