/* UTF-8 to strings and back, with replacement of what is malformed. */
#include "text.h"
#include <string.h>

static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};

/*
 * The length of the well-formed sequence at p; or, negated, of the malformed part that one U+FFFD
 * stands for: the longest start of a well-formed sequence, at least one byte (Unicode 3.9, "maximal
 * subpart"; the WHATWG decoder does the same).
 */
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

JSValue text_decode(JSContext *ctx, const uint8_t *bytes, size_t len) {
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
    memcpy(clean + used, replacement, sizeof replacement);
    used += sizeof replacement;
    at += (size_t)-sequence(bytes + at, len - at);
  }
  JSValue string = JS_NewStringLen(ctx, (const char *)clean, used);
  js_free(ctx, clean);
  return string;
}

JSValue text_encode(JSContext *ctx, JSValueConst string) {
  size_t len, whole;
  const char *text = JS_ToCStringLen(ctx, &len, string);
  if (!text)
    return JS_EXCEPTION;
  JSValue buffer = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, len);
  JS_FreeCString(ctx, text);
  uint8_t *bytes = JS_IsException(buffer) ? NULL : JS_GetArrayBuffer(ctx, &whole, buffer);
  /* A lone surrogate stands there as ED A0…BF xx: as long as the replacement. */
  for (uint8_t *p = bytes; p && (p = memchr(p, 0xed, len - (size_t)(p - bytes)));) {
    if (p[1] >= 0xa0)
      memcpy(p, replacement, sizeof replacement);
    p++;
  }
  return buffer;
}
