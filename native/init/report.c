/* Frames to the runtime: created, exec, error, and the spans of a trace. */
#include "../core/sockets/send-descriptor.h"
#include "init.h"
#include "reports.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

static struct {
  int error;
  const char *syscall;
  char detail[2 * PATH_MAX];
  int final;
} failure;

static struct span { uint64_t index, start, end; } * spans;
static uint32_t span_count, span_max;
/* Difference from the clock of a joined time namespace to the runtime's. */
static uint64_t clock_shift;

int fail_with(int error, const char *syscall, const char *detail) {
  if (failure.final)
    return -1;
  failure.error = error;
  failure.syscall = syscall;
  size_t n = detail ? strnlen(detail, sizeof failure.detail - 1) : 0;
  if (n)
    memcpy(failure.detail, detail, n);
  failure.detail[n] = 0;
  return -1;
}

int fail(const char *syscall, const char *detail) { return fail_with(errno, syscall, detail); }

int fail_for_good(int error, const char *syscall, const char *detail) {
  fail_with(error, syscall, detail);
  failure.final = 1;
  return -1;
}

int read_fully(int fd, void *data, size_t length) {
  char *at = data;
  while (length) {
    ssize_t n = read(fd, at, length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    at += n;
    length -= (size_t)n;
  }
  return 0;
}

/* 0, or -1 when the reader is gone and can no longer act on the report. */
static int send_all(const void *data, size_t length) {
  const char *at = data;
  while (length) {
    ssize_t n = send(init.report, at, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    /* The container's seccomp filter may deny one and allow the other. */
    if (n < 0 && errno != EPIPE && errno != ECONNRESET && filter_loaded())
      n = write(init.report, at, length);
    if (n <= 0)
      return -1;
    at += n;
    length -= (size_t)n;
  }
  return 0;
}

static int send_frame(const void *data, size_t length) {
  unsigned char head[4] = {(unsigned char)length, (unsigned char)(length >> 8),
                           (unsigned char)(length >> 16), (unsigned char)(length >> 24)};
  /* Most are short: one message wakes the runtime once. */
  char whole[sizeof head + 256];
  if (length > sizeof whole - sizeof head)
    return send_all(head, sizeof head) || send_all(data, length) ? -1 : 0;
  memcpy(whole, head, sizeof head);
  memcpy(whole + sizeof head, data, length);
  return send_all(whole, sizeof head + length);
}

void trace_enable(uint32_t operations) {
  void *p = mmap(NULL, (operations + 1) * sizeof *spans, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return;
  spans = p;
  span_max = operations;
}

uint64_t trace_now(void) {
  if (!spans)
    return 0;
  struct timespec t;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + clock_shift;
}

void trace_rebase(uint64_t before) { clock_shift += before - trace_now(); }

void trace_add(uint32_t index, uint64_t start) {
  if (span_count < span_max)
    spans[span_count++] = (struct span){index, start, trace_now()};
}

static void add_number(struct text *t, uint64_t n) {
  text_add_number(t, n);
  text_add_char(t, 0);
}

static void send_trace(void) {
  if (!span_count)
    return;
  size_t room = 16 + (size_t)span_count * 64;
  char *buffer = allocate(room);
  if (!buffer)
    return;
  struct text t = text_in(buffer, room);
  put_trace(&t);
  for (uint32_t i = 0; i < span_count; i++) {
    add_number(&t, spans[i].index);
    add_number(&t, spans[i].start);
    add_number(&t, spans[i].end);
  }
  send_frame(buffer, t.length);
  span_count = 0;
}

int await_go(void) {
  char go;
  return read_fully(init.report, &go, 1) || go != GO ? -1 : 0;
}

int report_created(void) {
  send_trace();
  char buffer[16];
  struct text t = TEXT_IN(buffer);
  put_created(&t);
  return send_frame(buffer, t.length);
}

int report_hooks(void) {
  char buffer[16];
  struct text t = TEXT_IN(buffer);
  put_hooks(&t);
  return send_frame(buffer, t.length);
}

/* Reports a slow hook. A runtime that is gone needs no warning. */
void report_slow(const char *point, uint64_t index) {
  char buffer[64];
  struct text t = TEXT_IN(buffer);
  put_slow(&t, point, index);
  send_frame(buffer, t.length);
}

void report_exec(void) {
  send_trace();
  char buffer[16];
  struct text t = TEXT_IN(buffer);
  put_exec(&t);
  send_frame(buffer, t.length);
}

int send_with(const char *data, size_t length, int fd) {
  unsigned char head[4] = {(unsigned char)length, (unsigned char)(length >> 8),
                           (unsigned char)(length >> 16), (unsigned char)(length >> 24)};
  struct iovec parts[2] = {{head, sizeof head}, {(char *)(uintptr_t)data, length}};
  ssize_t n = send_descriptor(init.report, parts, 2, fd);
  if (n < 0)
    return -1;
  if ((size_t)n == sizeof head + length)
    return 0;
  errno = EMSGSIZE;
  return -1;
}

/* Reports the process that continues for this one, with its pidfd. If the runtime is gone, that
 * process notices it. */
void report_pid(uint64_t pid, int pidfd) {
  char buffer[48];
  struct text t = TEXT_IN(buffer);
  put_pid(&t, init.current, pid);
  if (send_with(buffer, t.length, pidfd))
    send_frame(buffer, t.length);
}

int report_await(uint32_t index) {
  char buffer[32];
  struct text t = TEXT_IN(buffer);
  put_await(&t, index);
  return send_frame(buffer, t.length);
}

int report_locked_flags(uint32_t index, uint64_t locked, uint64_t recursive) {
  char buffer[64];
  struct text t = TEXT_IN(buffer);
  put_kept(&t, index, locked, recursive);
  return send_frame(buffer, t.length);
}

int report_bound(uint32_t index) {
  char buffer[32];
  struct text t = TEXT_IN(buffer);
  put_bound(&t, index);
  return send_frame(buffer, t.length);
}

int report_stdio(uint64_t uid, unsigned fds) {
  char buffer[48];
  struct text t = TEXT_IN(buffer);
  put_stdio(&t, init.current, uid, fds);
  return send_frame(buffer, t.length);
}

void report_failure(uint32_t index) {
  char buffer[sizeof failure.detail + 128];
  struct text t = TEXT_IN(buffer);
  put_error(&t, index, (uint64_t)failure.error, failure.syscall ? failure.syscall : "",
            failure.detail);
  write_last_report(buffer, t.length);
  send_frame(buffer, t.length);
}

int report_not_started(void) {
  report_failure(NO_OPERATION);
  return 1;
}
