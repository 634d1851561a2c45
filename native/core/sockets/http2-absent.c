/* The functions of http2.c in a build without nghttp2: no session opens, so no number is one. */
#include "../core.h"
#ifndef RUNT_HTTP2
#pragma GCC diagnostic ignored "-Wunused-parameter"

int32_t runt_http2Open(void) { return -ENOSYS; }

int32_t runt_http2Close(int32_t session) { return -EBADF; }

int32_t runt_http2Receive(int32_t session, const uint8_t *data, uint32_t data_len) {
  return -EBADF;
}

int32_t runt_http2Event(int32_t session, uint8_t *data, uint32_t data_cap) { return -EBADF; }

int32_t runt_http2Send(int32_t session, uint8_t *data, uint32_t data_cap) { return -EBADF; }

int32_t runt_http2Respond(int32_t session, int32_t stream, const uint8_t *headers,
                          uint32_t headers_len, int32_t end) {
  return -EBADF;
}

int32_t runt_http2Data(int32_t session, int32_t stream, const uint8_t *data, uint32_t data_len,
                       int32_t end) {
  return -EBADF;
}

int32_t runt_http2Trailers(int32_t session, int32_t stream, const uint8_t *headers,
                           uint32_t headers_len) {
  return -EBADF;
}

int32_t runt_http2Consume(int32_t session, int32_t stream, int32_t bytes) { return -EBADF; }

int32_t runt_http2Reset(int32_t session, int32_t stream, int32_t code) { return -EBADF; }

int32_t runt_http2GoAway(int32_t session) { return -EBADF; }
#endif
