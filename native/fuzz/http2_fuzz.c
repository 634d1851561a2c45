/* libFuzzer target of HTTP/2 (native/core/sockets/http2.c): the bytes of a client, in pieces.
 *
 * The first byte says whether a preface precedes them, the second the size of the pieces. Requests
 * are answered in several ways, like the calls of a server. A session uses no more memory than its
 * limit, its events fit their buffer, and nothing is left of it at the end (the sanitizer looks for
 * leaks). */
#define NAME "http2_fuzz"
#include "../core/sockets/http2.c"
#include "fuzz.h"

static unsigned long inputs, requests, answers, closed, over;

static void print_counts(void) {
  fprintf(stderr,
          NAME ": %lu inputs, %lu requests, %lu answers, %lu closed streams, %lu ended sessions\n",
          inputs, requests, answers, closed, over);
}

static const uint8_t headers[] = ":status\0"
                                 "200\0"
                                 "content-type\0application/grpc";
static const uint8_t trailers[] = "grpc-status\0"
                                  "0";

/* Answers a request in one of the ways of a server. */
static void answer(int32_t session, int32_t stream) {
  static const uint8_t body[3000];
  answers++;
  switch (stream / 2 % 5) {
  case 0:
    runt_http2Respond(session, stream, headers, sizeof headers, 1);
    return;
  case 1:
    runt_http2Reset(session, stream, 8);
    return;
  case 2:
    return; /* a Wait */
  default:
    runt_http2Respond(session, stream, headers, sizeof headers, 0);
    demand(runt_http2Data(session, stream, body, sizeof body, stream % 3 == 0) != 0,
           "a body that is not queued");
    if (stream / 2 % 5 == 3)
      runt_http2Trailers(session, stream, trailers, sizeof trailers);
  }
}

static void take_events(int32_t session) {
  static uint8_t event[HTTP2_HEAD + 16384];
  for (;;) {
    int32_t n = runt_http2Event(session, event, sizeof event);
    demand(n >= 0, "an event that its buffer cannot hold");
    if (n == 0)
      return;
    int32_t kind = (int32_t)get_u64(event, 0), stream = (int32_t)get_u64(event, 1);
    demand(n >= HTTP2_HEAD && kind > 0 && kind <= HTTP2_EVENT_CLOSED, "not an event");
    if (kind == HTTP2_EVENT_HEADERS) {
      requests++;
      demand(n == HTTP2_HEAD || event[n - 1] == 0, "a list without its last NUL");
      if (stream % 4 == 1)
        answer(session, stream);
    } else if (kind == HTTP2_EVENT_DATA)
      runt_http2Consume(session, stream, n - HTTP2_HEAD);
    else if (kind == HTTP2_EVENT_END) {
      if (stream % 4 == 3)
        answer(session, stream);
    } else if (kind == HTTP2_EVENT_CLOSED) {
      closed++;
      demand(runt_http2Data(session, stream, event, 1, 0) == -ENOENT, "a closed stream takes data");
#ifdef PLANT_CRASH
      demand(answers == 0 || stream < 5, "planted");
#endif
    }
  }
}

/* Sends what there is. 0, or -1 when the session is over. */
static int send_all(int32_t session) {
  static uint8_t out[5000];
  for (;;) {
    int32_t n = runt_http2Send(session, out, sizeof out);
    take_events(session);
    demand(find(session)->used <= SESSION_MEMORY_MAX, "more memory than the limit");
    if (n <= 0)
      return n < 0 ? -1 : 0;
  }
}

/* Receives bytes in pieces. 0, or -1 when the session is over. */
static int receive(int32_t session, const uint8_t *data, size_t size, size_t piece) {
  for (size_t at = 0; at < size; at += piece) {
    /* A copy of its own: the sanitizer sees each byte that is read beyond it. */
    size_t n = size - at < piece ? size - at : piece;
    uint8_t *copy = malloc(n);
    if (!copy)
      return -1;
    memcpy(copy, data + at, n);
    int32_t r = runt_http2Receive(session, copy, (uint32_t)n);
    free(copy);
    take_events(session);
    if (r < 0 || send_all(session) < 0)
      return -1;
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
  inputs++;
  if (size < 2)
    return 0;
  int32_t session = runt_http2Open();
  demand(session >= 0, "no session opens");
  size_t piece = 1 + (size_t)data[1] * 16;
  int r = data[0] & 1 ? 0 : receive(session, preface, sizeof preface, piece);
  if (r == 0)
    r = receive(session, data + 2, size - 2, piece);
  if (r == 0) {
    runt_http2GoAway(session);
    r = send_all(session);
  }
  over += r < 0;
  demand(runt_http2Close(session) == 0, "a session that is not there");
  demand(runt_http2Event(session, NULL, 0) == -EBADF, "a closed session is open");
  return 0;
}
