/* A daemon that receives log lines: datagrams SOCKET. Prints each datagram in hexadecimal on a
 * line of standard output, until an empty one arrives. datagrams SOCKET end: sends an empty one. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static unsigned char data[65536];
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (argc < 2 || strlen(argv[1]) >= sizeof a.sun_path)
    return 2;
  strcpy(a.sun_path, argv[1]);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (argc > 2)
    return sendto(fd, data, 0, 0, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : 1;
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
    return 1;
  printf("ready\n");
  fflush(stdout);
  for (ssize_t n; (n = recv(fd, data, sizeof data, 0)) > 0;) {
    for (ssize_t i = 0; i < n; i++)
      printf("%02x", data[i]);
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
