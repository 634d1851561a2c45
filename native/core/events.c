/* Waiting by one epoll instance per process. QuickJS sleeps in it; under Node.js a thread forwards
 * ready descriptors through a pipe, so that no thread of Node's ever blocks here. */
#include "core.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

static int instance = -1;

/* Descriptors that the instance knew last, to try the right call of epoll_ctl(2) first. Only a
 * guess: the kernel forgets a closed descriptor, and its number may be used again. */
static uint64_t known[4];

static int is_known(int32_t fd) { return fd >= 0 && fd < 256 && (known[fd / 64] >> fd % 64 & 1); }

static void set_known(int32_t fd, int is) {
  if (fd < 0 || fd >= 256)
    return;
  uint64_t bit = UINT64_C(1) << fd % 64;
  known[fd / 64] = is ? known[fd / 64] | bit : known[fd / 64] & ~bit;
}

static int epoll(void) {
  if (instance < 0)
    instance = epoll_create1(EPOLL_CLOEXEC);
  return instance;
}

/* One-shot: a descriptor is reported once and must be watched again. */
static int32_t watch(int32_t fd, uint32_t events, int32_t id) {
  struct epoll_event event = {.events = events | EPOLLONESHOT, .data.fd = id};
  if (epoll() < 0)
    return -errno;
  int first = is_known(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  int r = epoll_ctl(instance, first, fd, &event);
  if (r < 0 && errno == (first == EPOLL_CTL_MOD ? ENOENT : EEXIST))
    r = epoll_ctl(instance, first == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  set_known(fd, r == 0);
  return result(r);
}

int32_t runt_watch(int32_t fd, int32_t id) { return watch(fd, EPOLLIN | EPOLLRDHUP, id); }

int32_t runt_watchOut(int32_t fd, int32_t id) { return watch(fd, EPOLLOUT, id); }

int32_t runt_isReadable(int32_t fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  if (RETRY(poll(&p, 1, 0)) < 0)
    return -errno;
  return p.revents & POLLNVAL ? -EBADF : p.revents != 0;
}

int32_t runt_unwatch(int32_t fd) {
  if (epoll() < 0)
    return -errno;
  set_known(fd, 0);
  return result(epoll_ctl(instance, EPOLL_CTL_DEL, fd, NULL));
}

int32_t runt_ready(uint8_t *data, uint32_t data_cap, int32_t timeout) {
  enum { MOST = 64 };
  struct epoll_event events[MOST];
  if (epoll() < 0) {
    int error = errno;
    /* Nothing is watched: a sleep needs no epoll, and the undo of a failed step needs sleeps. */
    return timeout >= 0 && poll(NULL, 0, timeout) == 0 ? 0 : -error;
  }
  int room = data_cap / 4 < MOST ? (int)(data_cap / 4) : MOST;
  if (room < 1)
    return -EOVERFLOW;
  int n = epoll_wait(instance, events, room, timeout);
  if (n < 0)
    return errno == EINTR ? 0 : -errno;
  for (long i = 0; i < n; i++)
    memcpy(data + 4 * i, &events[i].data.fd, 4);
  return n;
}

/* The thread's main function: it ends when the pipe has no reader. */
static void *forward(void *argument) {
  int pipe_end = (int)(intptr_t)argument;
  uint8_t ids[64 * 4];
  for (;;) {
    int32_t n = runt_ready(ids, sizeof ids, -1);
    if (n < 0)
      break;
    for (size_t done = 0, all = (size_t)n * 4; done < all;) {
      ssize_t w = RETRY(write(pipe_end, ids + done, all - done));
      if (w < 0)
        goto end;
      done += (size_t)w;
    }
  }
end:
  close(pipe_end);
  return NULL;
}

int32_t runt_forward(void) {
  int ends[2];
  if (epoll() < 0 || pipe2(ends, O_CLOEXEC))
    return -errno;
  pthread_t thread;
  pthread_attr_t small;
  sigset_t all, old;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN + 16384);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  /* Signals are for Node's threads. SIGPIPE is blocked too: a write to a pipe without a reader
   * returns EPIPE. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = pthread_create(&thread, &small, forward, (void *)(intptr_t)ends[1]);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&small);
  if (!error)
    return ends[0];
  close(ends[0]);
  close(ends[1]);
  return -error;
}
