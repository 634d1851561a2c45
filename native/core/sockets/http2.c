/* HTTP/2 by nghttp2, without I/O: bytes of a connection in, events out; messages in, bytes out.
 *
 * nghttp2 calls back only into this file. The callbacks queue events, and the caller takes these
 * after each runt_http2Receive and runt_http2Send; so no call re-enters JavaScript. A session is a
 * number that is not used twice before 2^22 others: a stale one is refused. All memory of a session
 * is counted. */
#include "../core.h"
#ifdef RUNT_HTTP2
#include <malloc.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

enum {
  SESSION_BITS = 9,
  SESSIONS_MAX = 1 << SESSION_BITS,
  /* Bytes of one session: its streams, their unsent bodies and its queues. */
  SESSION_MEMORY_MAX = 16 << 20,
  /* Bytes of the header list of a request. */
  HEADERS_MAX = HTTP2_LIST_MAX,
  /* Header fields of a list that is sent. */
  FIELDS_MAX = 16,
  /* Frames that break the protocol without ending the connection: each makes nghttp2 reset a stream
     (CVE-2025-8671). */
  INVALID_FRAMES_MAX = 100,
};

/* An event for the caller: kind and stream as i32, then its bytes. */
struct event {
  struct event *next;
  int32_t kind, stream;
  uint32_t length;
  uint8_t bytes[];
};

/* A list of bytes that grows. */
struct bytes {
  uint8_t *at;
  size_t length, room;
};

struct stream {
  struct stream *next, **link;
  int32_t id;
  struct bytes headers; /* being received */
  int too_long;         /* the header list is */
  int is_whole;         /* the body to send is: no trailers follow */
  struct bytes body;    /* to send, from `sent` on */
  size_t sent;
  struct bytes trailers; /* follow the body; empty while it is not complete */
};

struct session {
  nghttp2_session *http2;
  nghttp2_mem memory;
  size_t used;
  uint32_t age; /* of the slot's sessions, this is the nth */
  int invalid_frames;
  struct stream *streams;
  struct event *first, **last;
  const uint8_t *out; /* bytes of nghttp2 that are not taken yet */
  size_t out_length;
};

static struct session *sessions[SESSIONS_MAX];
static uint32_t ages[SESSIONS_MAX];

/* The session of a number; NULL if it is closed. */
static struct session *find(int32_t number) {
  struct session *s = number < 0 ? NULL : sessions[number & (SESSIONS_MAX - 1)];
  return s && s->age == (uint32_t)number >> SESSION_BITS ? s : NULL;
}

/* ── memory ── */

static void *counted(struct session *s, void *old, size_t size) {
  size_t before = old ? malloc_usable_size(old) : 0;
  if (size > SESSION_MEMORY_MAX || s->used - before > SESSION_MEMORY_MAX - size)
    return NULL;
  void *block = old ? realloc(old, size ? size : 1) : malloc(size ? size : 1);
  if (block)
    s->used += malloc_usable_size(block) - before;
  return block;
}

static void release(struct session *s, void *block) {
  if (!block)
    return;
  s->used -= malloc_usable_size(block);
  free(block);
}

static void *memory_alloc(size_t size, void *s) { return counted(s, NULL, size); }
static void *memory_realloc(void *old, size_t size, void *s) { return counted(s, old, size); }
static void memory_free(void *block, void *s) { release(s, block); }

static void *memory_calloc(size_t count, size_t size, void *s) {
  size_t all;
  if (__builtin_mul_overflow(count, size, &all))
    return NULL;
  void *block = counted(s, NULL, all);
  return block ? memset(block, 0, all) : NULL;
}

/* Appends to a list. 0, or -ENOMEM. */
static int append(struct session *s, struct bytes *to, const void *from, size_t length) {
  if (length > to->room - to->length) {
    size_t room = to->length + length;
    if (room < SESSION_MEMORY_MAX / 2 && to->length)
      room += room / 2;
    uint8_t *at = counted(s, to->at, room);
    if (!at)
      return -ENOMEM;
    to->at = at;
    to->room = room;
  }
  if (length)
    memcpy(to->at + to->length, from, length);
  to->length += length;
  return 0;
}

static void drop(struct session *s, struct bytes *list) {
  release(s, list->at);
  *list = (struct bytes){0};
}

/* Queues an event. 0, or the error that ends the session. */
static int queue(struct session *s, int32_t kind, int32_t stream, const void *bytes,
                 size_t length) {
  struct event *e = counted(s, NULL, sizeof *e + length);
  if (!e)
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  *e = (struct event){.kind = kind, .stream = stream, .length = (uint32_t)length};
  if (length)
    memcpy(e->bytes, bytes, length);
  *s->last = e;
  s->last = &e->next;
  return 0;
}

/* ── what nghttp2 calls ── */

static struct stream *stream_of(struct session *s, int32_t id) {
  return nghttp2_session_get_stream_user_data(s->http2, id);
}

static struct stream *new_stream(struct session *s, int32_t id) {
  struct stream *st = counted(s, NULL, sizeof *st);
  if (!st)
    return NULL;
  *st = (struct stream){.id = id, .next = s->streams, .link = &s->streams};
  if (st->next)
    st->next->link = &st->next;
  s->streams = st;
  return st;
}

static void drop_stream(struct session *s, struct stream *st) {
  *st->link = st->next;
  if (st->next)
    st->next->link = st->link;
  drop(s, &st->headers);
  drop(s, &st->body);
  drop(s, &st->trailers);
  release(s, st);
}

static int on_begin_headers(nghttp2_session *h, const nghttp2_frame *frame, void *session) {
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
    return 0;
  struct stream *st = new_stream(session, frame->hd.stream_id);
  if (!st)
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  return nghttp2_session_set_stream_user_data(h, st->id, st) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_header(nghttp2_session *h, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *session) {
  struct session *s = session;
  (void)h, (void)flags;
  struct stream *st = stream_of(s, frame->hd.stream_id);
  if (!st || st->too_long)
    return 0;
  size_t more = name_length + value_length + 2;
  if (more > HEADERS_MAX || st->headers.length > HEADERS_MAX - more) {
    st->too_long = 1;
    drop(s, &st->headers);
    return 0;
  }
  /* A list with NULs inside would be another list. nghttp2 has refused such names and values. */
  if (memchr(name, 0, name_length) || memchr(value, 0, value_length))
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return append(s, &st->headers, name, name_length) || append(s, &st->headers, "", 1) ||
                 append(s, &st->headers, value, value_length) || append(s, &st->headers, "", 1)
             ? NGHTTP2_ERR_CALLBACK_FAILURE
             : 0;
}

static int on_frame(nghttp2_session *h, const nghttp2_frame *frame, void *session) {
  struct session *s = session;
  (void)h;
  int32_t id = frame->hd.stream_id;
  if (frame->hd.type == NGHTTP2_SETTINGS)
    return frame->hd.flags & NGHTTP2_FLAG_ACK ? 0 : queue(s, HTTP2_EVENT_SETTINGS, 0, NULL, 0);
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
    return 0;
  struct stream *st = stream_of(s, id);
  if (!st)
    return 0;
  if (frame->hd.type == NGHTTP2_HEADERS) {
    int r = queue(s, HTTP2_EVENT_HEADERS, id, st->headers.at, st->headers.length);
    drop(s, &st->headers);
    if (r)
      return r;
  }
  return frame->hd.flags & NGHTTP2_FLAG_END_STREAM ? queue(s, HTTP2_EVENT_END, id, NULL, 0) : 0;
}

static int on_data(nghttp2_session *h, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *session) {
  (void)flags;
  if (stream_of(session, id))
    return queue(session, HTTP2_EVENT_DATA, id, data, length);
  /* Nobody reads it: the connection's window must not shrink. */
  return nghttp2_session_consume(h, id, length) == NGHTTP2_ERR_NOMEM ? NGHTTP2_ERR_CALLBACK_FAILURE
                                                                     : 0;
}

static int on_close(nghttp2_session *h, int32_t id, uint32_t error, void *session) {
  struct session *s = session;
  (void)error;
  struct stream *st = stream_of(s, id);
  if (!st)
    return 0;
  nghttp2_session_set_stream_user_data(h, id, NULL);
  drop_stream(s, st);
  return queue(s, HTTP2_EVENT_CLOSED, id, NULL, 0);
}

/* After the answer, the rest of the request is not read (RFC 9113, section 8.1). */
static int on_sent(nghttp2_session *h, const nghttp2_frame *frame, void *session) {
  (void)session;
  int32_t id = frame->hd.stream_id;
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
      (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
      nghttp2_session_get_stream_remote_close(h, id) != 0)
    return 0;
  return nghttp2_submit_rst_stream(h, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR)
             ? NGHTTP2_ERR_CALLBACK_FAILURE
             : 0;
}

static int on_invalid(nghttp2_session *h, const nghttp2_frame *frame, int error, void *session) {
  struct session *s = session;
  (void)h, (void)frame, (void)error;
  s->invalid_frames++;
  return 0;
}

/* A list of NUL-ended names and values as fields. Their number, or -EINVAL. */
static int fields_of(const uint8_t *list, size_t length, nghttp2_nv *fields) {
  int count = 0;
  for (size_t at = 0; at < length; count++) {
    const uint8_t *part[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    if (count == FIELDS_MAX)
      return -EINVAL;
    for (int i = 0; i < 2; i++) {
      part[i] = list + at;
      const uint8_t *end = at < length ? memchr(part[i], 0, length - at) : NULL;
      if (!end)
        return -EINVAL;
      size[i] = (size_t)(end - part[i]);
      at += size[i] + 1;
    }
    /* nghttp2 copies both. */
    fields[count] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)part[0],
                                 .namelen = size[0],
                                 .value = (uint8_t *)(uintptr_t)part[1],
                                 .valuelen = size[1]};
  }
  return count;
}

/* Gives nghttp2 the next bytes of a body. */
static ssize_t read_body(nghttp2_session *h, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *session) {
  struct session *s = session;
  struct stream *st = source->ptr;
  size_t left = st->body.length - st->sent;
  size_t n = left < room ? left : room;
  if (n)
    memcpy(out, st->body.at + st->sent, n);
  st->sent += n;
  if (n && n == left) {
    drop(s, &st->body);
    st->sent = 0;
    if (!st->trailers.length && !st->is_whole && queue(s, HTTP2_EVENT_DRAINED, id, NULL, 0))
      return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (n < left)
    return (ssize_t)n;
  if (st->is_whole)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  else if (!st->trailers.length && !n)
    return NGHTTP2_ERR_DEFERRED;
  if (!st->trailers.length)
    return (ssize_t)n;
  nghttp2_nv fields[FIELDS_MAX];
  int count = fields_of(st->trailers.at, st->trailers.length, fields);
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  if (count < 0 || nghttp2_submit_trailer(h, id, fields, (size_t)count))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  return (ssize_t)n;
}

/* ── the native functions ── */

static int32_t failure(int error) { return error == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO; }

static void destroy(struct session *s) {
  nghttp2_session_del(s->http2);
  while (s->streams)
    /* It unlinks the stream: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    drop_stream(s, s->streams);
  for (struct event *e = s->first; e;) {
    struct event *next = e->next;
    release(s, e);
    e = next;
  }
  free(s);
}

/* Makes the nghttp2 session and queues its first SETTINGS. 0, or -errno. */
static int begin(struct session *s) {
  nghttp2_session_callbacks *calls = NULL;
  nghttp2_option *option = NULL;
  int r = NGHTTP2_ERR_NOMEM;
  if (nghttp2_session_callbacks_new(&calls) || nghttp2_option_new(&option))
    goto end;
  nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_sent);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, on_invalid);
  nghttp2_option_set_no_auto_window_update(option, 1);
  /* Else it keeps closed streams, for priorities. */
  nghttp2_option_set_no_closed_streams(option, 1);
  /* Resets by the client: 1000 at once, then 33 in a second, or GOAWAY (CVE-2023-44487). */
  nghttp2_option_set_stream_reset_rate_limit(option, 1000, 33);
  /* CONTINUATION frames after one HEADERS (CVE-2024-28182). */
  nghttp2_option_set_max_continuations(option, 8);
  r = nghttp2_session_server_new3(&s->http2, calls, s, option, &s->memory);
  if (r)
    goto end;
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  r = nghttp2_submit_settings(s->http2, NGHTTP2_FLAG_NONE, settings, 3);
end:
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(calls);
  return r ? failure(r) : 0;
}

int32_t runt_http2Open(void) {
  int32_t slot = 0;
  while (sessions[slot])
    if (++slot == SESSIONS_MAX)
      return -EMFILE;
  struct session *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  s->memory = (nghttp2_mem){s, memory_alloc, memory_free, memory_calloc, memory_realloc};
  s->last = &s->first;
  int r = begin(s);
  if (r < 0) {
    destroy(s);
    return r;
  }
  s->age = ages[slot] = (ages[slot] + 1) & (INT32_MAX >> SESSION_BITS);
  sessions[slot] = s;
  return (int32_t)(s->age << SESSION_BITS | (uint32_t)slot);
}

int32_t runt_http2Close(int32_t session) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  sessions[session & (SESSIONS_MAX - 1)] = NULL;
  destroy(s);
  return 0;
}

int32_t runt_http2Receive(int32_t session, const uint8_t *data, uint32_t data_len) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  ssize_t n = nghttp2_session_mem_recv(s->http2, data, data_len);
  if (n < 0)
    return failure((int)n);
  /* Not in the callback: the rest of the input would still be parsed (CVE-2026-27135). */
  int r = s->invalid_frames < INVALID_FRAMES_MAX
              ? 0
              : nghttp2_session_terminate_session(s->http2, NGHTTP2_ENHANCE_YOUR_CALM);
  return r ? failure(r) : 0;
}

int32_t runt_http2Event(int32_t session, uint8_t *data, uint32_t data_cap) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  struct event *e = s->first;
  if (!e)
    return 0;
  if (data_cap < HTTP2_HEAD || e->length > data_cap - HTTP2_HEAD)
    return -EOVERFLOW;
  put_i64(data, 0, e->kind);
  put_i64(data, 1, e->stream);
  if (e->length)
    memcpy(data + HTTP2_HEAD, e->bytes, e->length);
  int32_t length = (int32_t)(HTTP2_HEAD + e->length);
  s->first = e->next;
  if (!s->first)
    s->last = &s->first;
  release(s, e);
  return length;
}

int32_t runt_http2Send(int32_t session, uint8_t *data, uint32_t data_cap) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  uint32_t done = 0;
  while (done < data_cap) {
    if (!s->out_length) {
      ssize_t n = nghttp2_session_mem_send(s->http2, &s->out);
      if (n < 0)
        return failure((int)n);
      if (n == 0)
        break;
      s->out_length = (size_t)n;
    }
    uint32_t n = s->out_length < data_cap - done ? (uint32_t)s->out_length : data_cap - done;
    memcpy(data + done, s->out, n);
    s->out += n;
    s->out_length -= n;
    done += n;
  }
  if (done == 0 && !nghttp2_session_want_read(s->http2) && !nghttp2_session_want_write(s->http2))
    return -ENOTCONN;
  return (int32_t)done;
}

int32_t runt_http2Respond(int32_t session, int32_t stream, const uint8_t *headers,
                          uint32_t headers_len, int32_t end) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  struct stream *st = stream_of(s, stream);
  if (!st)
    return -ENOENT;
  nghttp2_nv fields[FIELDS_MAX];
  int count = fields_of(headers, headers_len, fields);
  if (count < 0)
    return count;
  nghttp2_data_provider body = {.source.ptr = st, .read_callback = read_body};
  int r = nghttp2_submit_response(s->http2, stream, fields, (size_t)count, end ? NULL : &body);
  return r ? failure(r) : 0;
}

/* Continues a body whose reader had nothing to read. 0, or -errno. */
static int32_t resume(struct session *s, int32_t stream) {
  int r = nghttp2_session_resume_data(s->http2, stream);
  /* It is not deferred: nghttp2 has not asked for more yet. */
  return r && r != NGHTTP2_ERR_INVALID_ARGUMENT ? failure(r) : 0;
}

int32_t runt_http2Data(int32_t session, int32_t stream, const uint8_t *data, uint32_t data_len,
                       int32_t end) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  struct stream *st = stream_of(s, stream);
  if (!st)
    return -ENOENT;
  if (st->trailers.length || st->is_whole)
    return -EINVAL;
  if (append(s, &st->body, data, data_len))
    return -ENOMEM;
  st->is_whole = end != 0;
  int32_t r = resume(s, stream);
  return r < 0 ? r : (int32_t)(st->body.length - st->sent);
}

int32_t runt_http2Trailers(int32_t session, int32_t stream, const uint8_t *headers,
                           uint32_t headers_len) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  struct stream *st = stream_of(s, stream);
  if (!st)
    return -ENOENT;
  nghttp2_nv fields[FIELDS_MAX];
  if (st->trailers.length || st->is_whole || headers_len == 0 ||
      fields_of(headers, headers_len, fields) < 0)
    return -EINVAL;
  if (append(s, &st->trailers, headers, headers_len))
    return -ENOMEM;
  return resume(s, stream);
}

int32_t runt_http2Consume(int32_t session, int32_t stream, int32_t bytes) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  if (bytes < 0)
    return -EINVAL;
  int r = nghttp2_session_consume(s->http2, stream, (size_t)bytes);
  return r ? failure(r) : 0;
}

int32_t runt_http2Reset(int32_t session, int32_t stream, int32_t code) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  if (!stream_of(s, stream))
    return -ENOENT;
  int r = nghttp2_submit_rst_stream(s->http2, NGHTTP2_FLAG_NONE, stream, (uint32_t)code);
  return r ? failure(r) : 0;
}

int32_t runt_http2GoAway(int32_t session) {
  struct session *s = find(session);
  if (!s)
    return -EBADF;
  int32_t last = nghttp2_session_get_last_proc_stream_id(s->http2);
  int r = nghttp2_submit_goaway(s->http2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
  return r ? failure(r) : 0;
}
#endif
