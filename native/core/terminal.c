/* Caller's terminal: its mode and size, and the bytes between it and a container's. */
#include "core.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

/* The raw terminal, for the handler of faults; -1 when there is none. */
static struct {
  volatile sig_atomic_t fd;
  struct termios saved;
} raw = {.fd = -1};

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
enum { FAULTS = sizeof faults / sizeof *faults };
static struct sigaction before[FAULTS];

/* A fault ends this process as it would have, but only after the terminal is restored. tcsetattr
 * and raise are async-signal-safe (signal-safety(7)). A true fault recurs under the previous
 * action; a signal that was sent is sent again. */
static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)context;
  if (raw.fd >= 0)
    tcsetattr((int)raw.fd, TCSANOW, &raw.saved);
  raw.fd = -1;
  for (int i = 0; i < FAULTS; i++)
    if (faults[i] == signal)
      sigaction(signal, &before[i], NULL);
  if (info->si_code <= 0)
    raise(signal);
}

/* Whether fd is the controlling terminal of this process and another job is in the foreground. */
static int in_background(int fd) {
  pid_t front = tcgetpgrp(fd);
  return front > 0 && front != getpgrp();
}

/* The kernel stops a background job that sets the terminal's mode until its shell brings it to the
 * foreground (termios(3), SIGTTOU). Only this process blocks the signal, because it forwards
 * signals. Without such a shell (an orphaned process group) the call fails instead. */
static void wait_for_front(int fd, const struct termios *mode) {
  sigset_t stop, blocked;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  pthread_sigmask(SIG_UNBLOCK, &stop, &blocked);
  RETRY(tcsetattr(fd, TCSANOW, mode));
  pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}

int32_t runt_terminalRaw(int32_t fd, uint8_t *saved, uint32_t saved_cap) {
  struct termios now = {0};
  if (saved_cap < sizeof now)
    return -EOVERFLOW;
  if (tcgetattr(fd, &now))
    return -errno;
  if (in_background(fd)) {
    wait_for_front(fd, &now);
    if (in_background(fd))
      return -EIO;
    if (tcgetattr(fd, &now))
      return -errno;
  }
  struct termios mode = now;
  cfmakeraw(&mode);
  /* The container's terminal leaves newlines alone (runt_terminalMaster): this one converts them,
   * so that its own messages look right too. */
  mode.c_oflag |= OPOST;
  if (raw.fd < 0) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_NODEFER | SA_SIGINFO};
    raw.saved = now;
    raw.fd = fd;
    for (int i = 0; i < FAULTS; i++)
      sigaction(faults[i], &action, &before[i]);
  }
  memcpy(saved, &now, sizeof now);
  return tcsetattr(fd, TCSANOW, &mode) ? -errno : (int32_t)sizeof now;
}

int32_t runt_terminalRestore(int32_t fd, const uint8_t *saved, uint32_t saved_len) {
  struct termios mode;
  if (saved_len != sizeof mode)
    return -EINVAL;
  memcpy(&mode, saved, sizeof mode);
  if (raw.fd == fd) {
    raw.fd = -1;
    for (int i = 0; i < FAULTS; i++)
      sigaction(faults[i], &before[i], NULL);
  }
  return result(tcsetattr(fd, TCSANOW, &mode));
}

int32_t runt_terminalMaster(int32_t fd) {
  struct termios mode;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || tcgetattr(fd, &mode))
    return -errno;
  mode.c_oflag &= (tcflag_t)~ONLCR;
  return result(tcsetattr(fd, TCSANOW, &mode));
}

int32_t runt_windowSize(int32_t fd, uint8_t *data, uint32_t data_cap) {
  struct winsize size;
  if (data_cap < 2 * 8)
    return -EOVERFLOW;
  if (ioctl(fd, TIOCGWINSZ, &size))
    return -errno;
  put_i64(data, 0, size.ws_col);
  put_i64(data, 1, size.ws_row);
  return 0;
}

int32_t runt_setWindowSize(int32_t fd, int32_t width, int32_t height) {
  if (width < 0 || width > UINT16_MAX || height < 0 || height > UINT16_MAX)
    return -ERANGE;
  struct winsize size = {.ws_col = (uint16_t)width, .ws_row = (uint16_t)height};
  return result(ioctl(fd, TIOCSWINSZ, &size));
}

/* Opens the controlling terminal, by the name that any user may open, if fd is the same one. */
static int controlling(int fd, int flags) {
  unsigned wanted, found;
  AUTO_CLOSE int tty = open("/dev/tty", flags);
  if (tty < 0 || ioctl(fd, TIOCGDEV, &wanted) || ioctl(tty, TIOCGDEV, &found) || wanted != found)
    return -1;
  int taken = tty;
  tty = -1;
  return taken;
}

int32_t runt_nonBlocking(int32_t fd, int32_t flags) {
  struct stat st;
  char path[32];
  if (flags != O_RDONLY && flags != O_WRONLY && flags != O_RDWR)
    return -EINVAL;
  if (fstat(fd, &st))
    return -errno;
  /* Opening a multiplexer makes another pair. */
  int opens = S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev != makedev(5, 2));
  if (opens) {
    int with = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = RETRY(open(path, with));
    /* The terminal may be another user's, after su(1). */
    if (again < 0 && S_ISCHR(st.st_mode))
      again = controlling(fd, with);
    if (again >= 0)
      return again;
  }
  return result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/* Whether reads and writes of fd never block by themselves. */
static int never_blocks(int fd) {
  struct stat st;
  int flags = fcntl(fd, F_GETFL);
  return (flags >= 0 && flags & O_NONBLOCK) ||
         (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)));
}

static int is_ready(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  return RETRY(poll(&p, 1, 0)) > 0;
}

/* read(2) that returns EAGAIN instead of blocking, whatever fd is. */
static ssize_t read_ready(int fd, void *data, size_t size) {
  ssize_t n = RETRY(recv(fd, data, size, MSG_DONTWAIT));
  if (n >= 0 || errno != ENOTSOCK)
    return n;
  if (!never_blocks(fd) && !is_ready(fd, POLLIN)) {
    errno = EAGAIN;
    return -1;
  }
  return RETRY(read(fd, data, size));
}

/* write(2) of a part, likewise. Without a non-blocking descriptor it writes one byte, which a
 * ready descriptor certainly takes. */
static ssize_t write_ready(int fd, const void *data, size_t size) {
  ssize_t n = RETRY(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
  if (n >= 0 || errno != ENOTSOCK)
    return n;
  if (!never_blocks(fd)) {
    if (!is_ready(fd, POLLOUT)) {
      errno = EAGAIN;
      return -1;
    }
    size = 1;
  }
  return RETRY(write(fd, data, size));
}

enum { SPLICE_TURNS = 16, SPLICE_SIZE = 65536 };

static int is_pipe(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* splice(2) between two pipes: no byte is in this process, where it would be lost if that is
 * killed. Whether they are pipes; then the answer is in *next. */
static int splice_pipes(int from, int to, int32_t *next) {
  if (!is_pipe(from) || !is_pipe(to))
    return 0;
  *next = TRANSFER_MORE;
  for (int turn = 0; turn < SPLICE_TURNS; turn++) {
    ssize_t n = RETRY(splice(from, NULL, to, NULL, SPLICE_SIZE, SPLICE_F_NONBLOCK));
    if (n > 0)
      continue;
    /* A filter may refuse the call; the same pipe has no other end. */
    if (n < 0 && (errno == EINVAL || errno == ENOSYS || errno == EPERM))
      return 0;
    *next = n == 0            ? TRANSFER_ENDED
            : errno == EAGAIN ? is_ready(to, POLLOUT) ? TRANSFER_READABLE : TRANSFER_WRITABLE
            : errno == EPIPE  ? TRANSFER_GONE
                              : -errno;
    break;
  }
  return 1;
}

enum { TURNS = 64 };

static uint32_t get_u32(const uint8_t *p) { return (uint32_t)get_i32(p, 0); }

static void put_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (8 * i));
}

int32_t runt_transfer(int32_t from, int32_t to, uint8_t *state, uint32_t state_cap) {
  if (state_cap <= TRANSFER_HEAD)
    return -EOVERFLOW;
  uint32_t start = get_u32(state), end = get_u32(state + 4), room = state_cap - TRANSFER_HEAD;
  uint8_t *data = state + TRANSFER_HEAD;
  if (start > end || end > room)
    return -EINVAL;
  /* Bounded, so that a flood in one direction does not delay the rest of the program. */
  int32_t next = TRANSFER_MORE;
  if (start == end && to >= 0 && splice_pipes(from, to, &next))
    return next;
  for (int turn = 0; turn < TURNS; turn++) {
    if (start < end) {
      ssize_t n = to < 0 ? (ssize_t)(end - start) : write_ready(to, data + start, end - start);
      if (n >= 0) {
        start += (uint32_t)n;
        continue;
      }
      next = errno == EAGAIN ? TRANSFER_WRITABLE
             : errno == EPIPE || errno == EIO || errno == ECONNRESET || errno == ENXIO
                 ? TRANSFER_GONE
                 : -errno;
      break;
    }
    start = end = 0;
    ssize_t n = read_ready(from, data, room);
    if (n > 0) {
      end = (uint32_t)n;
      continue;
    }
    next = n == 0            ? TRANSFER_ENDED
           : errno == EAGAIN ? TRANSFER_READABLE
           : errno == EIO    ? TRANSFER_HUNG_UP
                             : -errno;
    break;
  }
  put_u32(state, start);
  put_u32(state + 4, end);
  return next;
}
