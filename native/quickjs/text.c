/* UTF-8 to strings and back; malformed parts are replaced, or kept as bytes. */
#include "text.h"
#include <string.h>

static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};

/* The length of the well-formed sequence at p. Negative: the length of the malformed part that one
 * U+FFFD replaces, the longest start of a well-formed sequence, at least one byte (Unicode 3.9,
 * "maximal subpart"; the WHATWG decoder does the same). */
static int sequence(const uint8_t *p, size_t left) {
  uint8_t low = 0x80, high = 0xbf;
  int more;
  if (p[0] < 0x80)
    return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf)
    more = 1;
  else if (p[0] >= 0xe0 && p[0] <= 0xef) {
    more = 2;
    if (p[0] == 0xe0)
      low = 0xa0;
    if (p[0] == 0xed)
      high = 0x9f;
  } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
    more = 3;
    if (p[0] == 0xf0)
      low = 0x90;
    if (p[0] == 0xf4)
      high = 0x8f;
  } else
    return -1;
  for (int i = 1; i <= more; i++) {
    if ((size_t)i >= left || p[i] < low || p[i] > high)
      return -i;
    low = 0x80;
    high = 0xbf;
  }
  return more + 1;
}

/* How many bytes from the start are well-formed. */
static size_t well_formed(const uint8_t *bytes, size_t len) {
  size_t at = 0;
  while (at < len) {
    uint64_t eight;
    if (len - at >= sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if (!(eight & 0x8080808080808080u)) {
        at += sizeof eight;
        continue;
      }
    }
    int n = sequence(bytes + at, len - at);
    if (n < 0)
      break;
    at += (size_t)n;
  }
  return at;
}

/* Decodes and replaces malformed parts. `raw`: byte by byte, each by a surrogate as in WTF-8. */
static JSValue decode(JSContext *ctx, const uint8_t *bytes, size_t len, int raw) {
  size_t good = well_formed(bytes, len);
  if (good == len)
    return JS_NewStringLen(ctx, (const char *)bytes, len);
  if (len > INT32_MAX / 3)
    return JS_ThrowRangeError(ctx, "decode: too long");
  uint8_t *clean = js_malloc(ctx, len * 3);
  if (!clean)
    return JS_EXCEPTION;
  size_t used = 0;
  for (size_t at = 0; at < len;) {
    size_t n = well_formed(bytes + at, len - at);
    memcpy(clean + used, bytes + at, n);
    used += n;
    at += n;
    if (at == len)
      break;
    if (raw) {
      /* U+DC00 + byte: ED B2 80…BF, ED B3 80…BF. */
      clean[used++] = 0xed;
      clean[used++] = bytes[at] < 0xc0 ? 0xb2 : 0xb3;
      clean[used++] = 0x80 | (bytes[at++] & 0x3f);
      continue;
    }
    memcpy(clean + used, replacement, sizeof replacement);
    used += sizeof replacement;
    at += (size_t)-sequence(bytes + at, len - at);
  }
  JSValue string = JS_NewStringLen(ctx, (const char *)clean, used);
  js_free(ctx, clean);
  return string;
}

JSValue text_decode(JSContext *ctx, const uint8_t *bytes, size_t len) {
  return decode(ctx, bytes, len, 0);
}

JSValue text_decode_raw(JSContext *ctx, const uint8_t *bytes, size_t len) {
  return decode(ctx, bytes, len, 1);
}

/* The byte of a lone surrogate at p, which QuickJS writes as ED A0…BF 80…BF: 0 when it has none,
 * -1 when p is not a surrogate. */
static int surrogate(const uint8_t *p) {
  if (p[0] != 0xed || p[1] < 0xa0)
    return -1;
  return p[1] == 0xb2 ? p[2] : p[1] == 0xb3 ? p[2] | 0xc0 : 0;
}

ssize_t text_bytes(char *text, size_t len) {
  uint8_t *bytes = (uint8_t *)text;
  const uint8_t *first = memchr(bytes, 0xed, len);
  if (!first)
    return (ssize_t)len;
  size_t used = (size_t)(first - bytes);
  for (size_t at = used; at < len;) {
    int byte = surrogate(bytes + at);
    if (byte == 0)
      return -1;
    bytes[used++] = byte > 0 ? (uint8_t)byte : bytes[at];
    at += byte > 0 ? 3 : 1;
  }
  bytes[used] = 0;
  return (ssize_t)used;
}

JSValue text_encode(JSContext *ctx, JSValueConst string) {
  size_t len;
  const char *text = JS_ToCStringLen(ctx, &len, string);
  if (!text)
    return JS_EXCEPTION;
  const uint8_t *from = (const uint8_t *)text;
  if (!memchr(text, 0xed, len)) {
    JSValue buffer = JS_NewArrayBufferCopy(ctx, from, len);
    JS_FreeCString(ctx, text);
    return buffer;
  }
  uint8_t *bytes = js_malloc(ctx, len);
  size_t used = 0;
  for (size_t at = 0; bytes && at < len;) {
    int byte = surrogate(from + at);
    if (byte == 0) { /* as long as the replacement */
      memcpy(bytes + used, replacement, sizeof replacement);
      used += sizeof replacement;
    } else
      bytes[used++] = byte > 0 ? (uint8_t)byte : from[at];
    at += byte >= 0 ? 3 : 1;
  }
  JSValue buffer = bytes ? JS_NewArrayBufferCopy(ctx, bytes, used) : JS_EXCEPTION;
  js_free(ctx, bytes);
  JS_FreeCString(ctx, text);
  return buffer;
}
