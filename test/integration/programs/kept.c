/* Kernel state of a process, and whether it survives a checkpoint: kept KIND [ARGUMENT].
 *
 *   memory MIB   memory with a pattern, of which each step changes one page
 *   lock FILE    a lock of the whole file, flock(2)
 *   try FILE     exits with 0 if it gets that lock, 1 if another process has it
 *   tcp          a connection to itself over 127.0.0.1, over which each step is sent
 *   unix PATH    a datagram socket connected to PATH, to which each step is sent
 *
 * Ten times a second it prints the number of the step on a line; it exits with 3 after the name
 * of what was lost. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int lost(const char *what) {
  printf("lost: %s\n", what);
  return 3;
}

static int pair_over_tcp(int *near, int *far) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t length = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  *near = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 1) ||
      getsockname(listener, (struct sockaddr *)&a, &length) ||
      connect(*near, (struct sockaddr *)&a, sizeof a))
    return -1;
  *far = accept(listener, NULL, NULL);
  close(listener);
  return *far < 0 ? -1 : 0;
}

static int connected(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path)
    return -1;
  strcpy(a.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  return connect(fd, (struct sockaddr *)&a, sizeof a) ? -1 : fd;
}

/* Whether each page still has its own number, and the first page the number of the step. */
static int intact(const unsigned *memory, size_t pages, unsigned step) {
  if (memory[0] != step)
    return 0;
  for (size_t i = 1; i < pages; i++)
    if (memory[i * 1024] != i)
      return 0;
  return 1;
}

int main(int argc, char **argv) {
  const char *kind = argc > 1 ? argv[1] : "", *value = argc > 2 ? argv[2] : "";
  int near = -1, far = -1;
  size_t pages = 0;
  unsigned *memory = NULL;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!strcmp(kind, "memory")) {
    pages = (size_t)atoi(value) << 8;
    memory = aligned_alloc(4096, pages << 12);
    for (size_t i = 0; memory && i < pages; i++)
      memory[i * 1024] = (unsigned)i;
  } else if (!strcmp(kind, "lock") || !strcmp(kind, "try")) {
    near = open(value, O_RDWR | O_CREAT, 0600);
    if (flock(near, LOCK_EX | LOCK_NB))
      return 1;
    if (*kind == 't')
      return 0;
  } else if (!strcmp(kind, "tcp")) {
    if (pair_over_tcp(&near, &far))
      return perror("tcp"), 2;
  } else if (!strcmp(kind, "unix")) {
    near = connected(value);
    if (near < 0)
      return perror("unix"), 2;
  } else {
    return 2;
  }
  for (unsigned step = 1;; step++) {
    unsigned back = step;
    char text[16];
    if (memory && !intact(memory, pages, step - 1))
      return lost("memory");
    if (memory)
      memory[0] = step;
    if (far >= 0 && (write(near, &step, sizeof step) != sizeof step ||
                     read(far, &back, sizeof back) != sizeof back || back != step))
      return lost("tcp");
    int n = snprintf(text, sizeof text, "%u", step);
    if (*kind == 'u' && write(near, text, (size_t)n) != n)
      return lost("unix");
    printf("%u\n", step);
    /* Slow enough for a checkpoint between two steps. */
    usleep(100000);
  }
}
