/* A web server for the tests: web [PORT]. Prints its name, answers each request with it, and writes its pid to
 * /var/run/NAME.pid. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

int main(int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/');
  const char *name = slash ? slash + 1 : argv[0];
  int port = argc > 1 ? atoi(argv[1]) : 80;
  if (argc < 3) {
    /* As nginx does, so that /proc/1/cmdline shows which process is the first in the namespace. */
    char title[64], number[8];
    snprintf(title, sizeof title, "%s: master process", name);
    snprintf(number, sizeof number, "%d", port);
    execl("/proc/self/exe", title, number, name, (char *)0);
    return 1;
  }
  name = argv[2];
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGQUIT, end);
  signal(SIGPIPE, SIG_IGN);

  char path[64];
  mkdir("/var", 0755);
  mkdir("/var/run", 0755);
  snprintf(path, sizeof path, "/var/run/%s.pid", name);
  FILE *pid = fopen(path, "w");
  if (pid) {
    fprintf(pid, "%d\n", (int)getpid());
    fclose(pid);
  }

  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
    perror(name);
    return 1;
  }
  printf("%s listens on port %d\n", name, port);
  fflush(stdout);
  for (;;) {
    int client = accept(listener, 0, 0);
    if (client < 0) continue;
    char request[4096];
    if (read(client, request, sizeof request) > 0) {
      char body[64], answer[256];
      int size = snprintf(body, sizeof body, "<p>%s</p>\n", name);
      int length = snprintf(answer, sizeof answer,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
      if (write(client, answer, (size_t)length) < 0) perror(name);
    }
    shutdown(client, SHUT_WR);
    close(client);
  }
}
