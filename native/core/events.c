/* Waiting by one epoll instance per thread of JavaScript: the worker threads of Node.js have the
 * same ids. QuickJS sleeps in it; under Node.js another thread forwards ready descriptors through a
 * pipe, so that no thread of Node's ever blocks here. */
#include "core.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>

static _Thread_local int instance = -1;

/* Descriptors that the instance knew last, to try the right call of epoll_ctl(2) first. Only a
 * guess: the kernel forgets a closed descriptor, and its number may be used again. */
static _Thread_local uint64_t known[4];

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

enum { MOST = 64 };

int32_t runt_ready(uint8_t *data, uint32_t data_cap, int32_t timeout) {
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

/* What a thread that forwards works with. */
struct forwarder {
  int instance;
  int pipe_end;
};

/* Its main function. It ends when the pipe has no reader: the thread of Node.js has ended, and uses
 * the instance no more. No id is negative, so -1 is the pipe's. */
static void *forward(void *argument) {
  struct forwarder forwarder = *(struct forwarder *)argument;
  free(argument);
  struct epoll_event hang_up = {.events = 0, .data.fd = -1};
  int without_reader = epoll_ctl(forwarder.instance, EPOLL_CTL_ADD, forwarder.pipe_end, &hang_up);
  while (without_reader <= 0) {
    struct epoll_event events[MOST];
    int n = RETRY(epoll_wait(forwarder.instance, events, MOST, -1));
    int32_t ids[MOST];
    size_t all = 0;
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd < 0)
        without_reader = 1;
      else
        ids[all++] = events[i].data.fd;
    }
    if (n < 0)
      break;
    ssize_t w;
    for (size_t done = 0; done < all * sizeof *ids; done += (size_t)w) {
      w = RETRY(write(forwarder.pipe_end, (uint8_t *)ids + done, all * sizeof *ids - done));
      if (w < 0)
        goto end;
    }
  }
end:
  close(forwarder.pipe_end);
  close(forwarder.instance);
  return NULL;
}

int32_t runt_forward(void) {
  int ends[2];
  struct forwarder *forwarder = malloc(sizeof *forwarder);
  if (!forwarder)
    return -ENOMEM;
  if (epoll() < 0 || pipe2(ends, O_CLOEXEC)) {
    int error = errno;
    free(forwarder);
    return -error;
  }
  *forwarder = (struct forwarder){.instance = instance, .pipe_end = ends[1]};
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
  int error = pthread_create(&thread, &small, forward, forwarder);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&small);
  if (!error)
    return ends[0];
  free(forwarder);
  close(ends[0]);
  close(ends[1]);
  return -error;
}
