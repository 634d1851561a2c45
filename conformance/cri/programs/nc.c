/* One question by UDP, as Kubernetes' tests ask it: nc -w SECONDS -u ADDRESS PORT. Sends its input
 * as one datagram and prints the answers until there was none for that many seconds. Debian's
 * busybox has no UDP in its nc. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int udp = 0, seconds = 0, option;
  while ((option = getopt(argc, argv, "uw:")) != -1) {
    if (option == 'u')
      udp = 1;
    else if (option == 'w')
      seconds = atoi(optarg);
    else
      return 2;
  }
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (!udp || seconds <= 0 || argc - optind != 2 ||
      inet_pton(AF_INET, argv[optind], &to.sin_addr) != 1) {
    fprintf(stderr, "usage: nc -w SECONDS -u ADDRESS PORT\n");
    return 2;
  }
  to.sin_port = htons((unsigned short)atoi(argv[optind + 1]));

  char data[65536];
  size_t size = fread(data, 1, sizeof data, stdin);
  struct timeval wait = {.tv_sec = seconds};
  int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (one < 0 || setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
      connect(one, (struct sockaddr *)&to, sizeof to) != 0 || send(one, data, size, 0) < 0) {
    perror("nc");
    return 1;
  }
  for (ssize_t n; (n = recv(one, data, sizeof data, 0)) >= 0;)
    if (write(1, data, (size_t)n) != n) return 1;
  if (errno == EAGAIN) return 0;
  perror("nc");
  return 1;
}
