/* Frames to the runtime: created, exec, error, and the spans of a trace. */
#include "init.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

static struct {
  int error;
  const char *syscall;
  char detail[PATH_MAX + 256];
} failure;

static struct span { uint64_t index, start, end; } * spans;
static uint32_t span_count, span_max;

int fail_with(int error, const char *syscall, const char *detail) {
  failure.error = error;
  failure.syscall = syscall;
  size_t n = detail ? strnlen(detail, sizeof failure.detail - 1) : 0;
  if (n)
    memcpy(failure.detail, detail, n);
  failure.detail[n] = 0;
  return -1;
}

int fail(const char *syscall, const char *detail) { return fail_with(errno, syscall, detail); }

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

/* A reader that is gone is no error: what it would do with the report it can no longer do. */
static void send_all(const void *data, size_t length) {
  const char *at = data;
  while (length) {
    ssize_t n = send(init.report, at, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    at += n;
    length -= (size_t)n;
  }
}

static void send_frame(const void *data, uint32_t length) {
  unsigned char head[4] = {(unsigned char)length, (unsigned char)(length >> 8),
                           (unsigned char)(length >> 16), (unsigned char)(length >> 24)};
  send_all(head, sizeof head);
  send_all(data, length);
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
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void trace_add(uint32_t index, uint64_t start) {
  if (span_count < span_max)
    spans[span_count++] = (struct span){index, start, trace_now()};
}

static void send_trace(void) {
  if (!span_count)
    return;
  size_t room = 16 + (size_t)span_count * 64, length;
  char *text = malloc(room);
  if (!text)
    return;
  memcpy(text, "trace", 6);
  length = 6;
  for (uint32_t i = 0; i < span_count; i++)
    length += (size_t)snprintf(
        text + length, room - length, "%llu%c%llu%c%llu%c", (unsigned long long)spans[i].index, 0,
        (unsigned long long)spans[i].start, 0, (unsigned long long)spans[i].end, 0);
  send_frame(text, (uint32_t)length);
  free(text);
  span_count = 0;
}

void report_created(void) {
  send_trace();
  send_frame("created", 8);
}

void report_exec(void) {
  send_trace();
  send_frame("exec", 5);
}

void report_failure(uint32_t index) {
  char text[sizeof failure.detail + 128];
  int n = snprintf(text, sizeof text, "error%c%u%c%d%c%s%c%s", 0, index, 0, failure.error, 0,
                   failure.syscall ? failure.syscall : "", 0, failure.detail);
  send_frame(text, (uint32_t)n + 1);
}
