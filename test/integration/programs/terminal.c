/* The other end of a terminal: a person at one, or an engine that receives one.
 *
 *   terminal pty COLUMNS ROWS COMMAND…   runs COMMAND on a new terminal
 *   terminal socket PATH                 listens on PATH, receives a terminal, prints
 *                                        "NAME BYTES\n" of its message
 *
 * The terminal's output is written to stdout. Lines on stdin are orders: "type TEXT" (TEXT is
 * hexadecimal), "size COLUMNS ROWS", "kill SIGNAL", "hold" and "release" (stop and continue to
 * read the terminal), "stop" and "continue" (as Ctrl-S and Ctrl-Q: the terminal takes no byte of
 * output, and takes it again), "close" (hang up). When the command ends: "exit STATUS same|changed"
 * on stderr, the latter for the terminal's mode. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master = -1, held;
static pid_t child;
static int slave = -1;

static void resize(int columns, int rows) {
  struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
  if (ioctl(master, TIOCSWINSZ, &size))
    err(3, "TIOCSWINSZ");
}

static void type(const char *hex) {
  char text[4096];
  size_t n = 0;
  unsigned byte;
  for (; n < sizeof text && sscanf(hex, "%2x", &byte) == 1; hex += 2)
    text[n++] = (char)byte;
  if (write(master, text, n) != (ssize_t)n)
    err(3, "write to the terminal");
}

static void obey(const char *order) {
  int a, b;
  if (!strncmp(order, "type ", 5))
    type(order + 5);
  else if (sscanf(order, "size %d %d", &a, &b) == 2)
    resize(a, b);
  else if (sscanf(order, "kill %d", &a) == 1)
    kill(child, a);
  else if (!strcmp(order, "hold"))
    held = 1;
  else if (!strcmp(order, "release"))
    held = 0;
  else if (!strcmp(order, "stop") || !strcmp(order, "continue")) {
    if (tcflow(slave, *order == 's' ? TCOOFF : TCOON))
      err(3, "tcflow");
  } else if (!strcmp(order, "close")) {
    close(master);
    master = -1;
  } else
    errx(3, "unknown order %s", order);
}

/* Returns whether more orders may follow. */
static int orders(void) {
  static char line[16384];
  static size_t length;
  ssize_t n = read(0, line + length, sizeof line - 1 - length);
  if (n <= 0) {
    close(0);
    open("/dev/null", O_RDONLY);
    return 0;
  }
  length += (size_t)n;
  line[length] = 0;
  for (char *end; (end = strchr(line, '\n')) != NULL;) {
    *end = 0;
    obey(line);
    length -= (size_t)(end + 1 - line);
    memmove(line, end + 1, length + 1);
  }
  return 1;
}

/* Relays until the terminal is hung up, or until the child has ended and the output is complete. */
static int relay(void) {
  int status = 0, ended = 0, input = 1;
  char buffer[4096];
  for (;;) {
    struct pollfd p[2] = {{.fd = held ? -1 : master, .events = POLLIN},
                          {.fd = input ? 0 : -1, .events = POLLIN}};
    int n = poll(p, 2, 20);
    if (n > 0 && p[1].revents) {
      input = orders() && p[1].revents & POLLIN;
    }
    if (n > 0 && p[0].revents) {
      ssize_t got = read(master, buffer, sizeof buffer);
      if (got > 0 && write(1, buffer, (size_t)got) != got)
        err(3, "write");
      if (got <= 0 && !child)
        return 0;
      if (got <= 0 && ended)
        return status;
      if (got <= 0)
        usleep(2000); /* EIO until the child is reaped: poll(2) would not wait. */
      continue;
    }
    if (n == 0 && ended && !held)
      return status;
    if (child && !ended && waitpid(child, &status, WNOHANG) == child)
      ended = 1;
  }
}

static int pty(int columns, int rows, char **command) {
  master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) || unlockpt(master))
    err(3, "openpt");
  resize(columns, rows);
  slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios before, after;
  if (slave < 0 || tcgetattr(slave, &before))
    err(3, "slave");
  child = fork();
  if (child == 0) {
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
      dup2(slave, fd);
    execvp(command[0], command);
    err(127, "%s", command[0]);
  }
  int status = relay();
  int same = !tcgetattr(slave, &after) && before.c_iflag == after.c_iflag &&
             before.c_oflag == after.c_oflag && before.c_lflag == after.c_lflag;
  fprintf(stderr, "exit %d %s\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          same ? "same" : "changed");
  return 0;
}

static int receive(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
    err(3, "%s", path);
  fprintf(stderr, "listening\n");
  int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  char name[4096];
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(4 * sizeof(int))];
  } control;
  struct iovec io = {.iov_base = name, .iov_len = sizeof name - 1};
  struct msghdr message = {.msg_iov = &io,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control};
  ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  /* One descriptor and no room for more, as in containerd. */
  if (n <= 0 || !c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
      c->cmsg_len != CMSG_LEN(sizeof(int)))
    errx(3, "no terminal: %zd bytes", n);
  memcpy(&master, CMSG_DATA(c), sizeof master);
  name[n] = 0;
  unsigned number;
  dprintf(1, "%s %s\n", name,
          isatty(master) && !ioctl(master, TIOCGPTN, &number) ? "master" : "no master");
  return relay();
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc > 4 && !strcmp(argv[1], "pty"))
    return pty(atoi(argv[2]), atoi(argv[3]), argv + 4);
  if (argc == 3 && !strcmp(argv[1], "socket"))
    return receive(argv[2]);
  errx(2, "usage: terminal pty COLUMNS ROWS COMMAND… | terminal socket PATH");
}
