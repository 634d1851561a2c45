/* Checked arguments of native functions, with the messages of src/sys/node-host.ts. */
#include "bind.h"
#include "text.h"
#include <string.h>

int want_i32(JSContext *ctx, JSValueConst value, int32_t *out, const char *function,
             const char *argument) {
  int tag = JS_VALUE_GET_NORM_TAG(value);
  if (tag == JS_TAG_INT) {
    *out = JS_VALUE_GET_INT(value);
    return 0;
  }
  if (tag == JS_TAG_FLOAT64) {
    double d = JS_VALUE_GET_FLOAT64(value);
    if (d >= INT32_MIN && d <= INT32_MAX && !(d < (double)(int32_t)d) &&
        !(d > (double)(int32_t)d)) {
      *out = (int32_t)d;
      return 0;
    }
  }
  JS_ThrowTypeError(ctx, "%s: %s must be a 32-bit integer", function, argument);
  return -1;
}

int want_i64(JSContext *ctx, JSValueConst value, int64_t *out, const char *function,
             const char *argument) {
  if (JS_IsBigInt(ctx, value)) {
    if (JS_ToBigInt64(ctx, out, value) < 0)
      return -1;
    /* JS_ToBigInt64 wraps: compare its result with the input. */
    JSValue back = JS_NewBigInt64(ctx, *out);
    int same = JS_StrictEq(ctx, back, value);
    JS_FreeValue(ctx, back);
    if (same)
      return 0;
  }
  JS_ThrowTypeError(ctx, "%s: %s must be a 64-bit BigInt", function, argument);
  return -1;
}

/* The class of Uint8Array, which QuickJS does not name: taken from an array made here. */
static JSClassID uint8_array_class(JSContext *ctx) {
  static JSClassID known;
  if (known == 0) {
    JSValueConst none[3] = {JS_NewInt32(ctx, 0), JS_UNDEFINED, JS_UNDEFINED};
    JSValue array = JS_NewTypedArray(ctx, 3, none, JS_TYPED_ARRAY_UINT8);
    known = JS_GetClassID(array);
    JS_FreeValue(ctx, array);
  }
  return known;
}

int want_bytes(JSContext *ctx, JSValueConst value, uint8_t **data, uint32_t *len,
               const char *function, const char *argument) {
  size_t offset, bytes, per_element, whole;
  if (JS_IsObject(value) && JS_GetClassID(value) == uint8_array_class(ctx)) {
    JSValue buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, &bytes, &per_element);
    if (JS_IsException(buffer))
      return -1;
    uint8_t *start = JS_GetArrayBuffer(ctx, &whole, buffer);
    JS_FreeValue(ctx, buffer); /* the typed array holds it */
    if ((start || whole == 0) && bytes <= INT32_MAX) {
      *data = start ? start + offset : NULL;
      *len = (uint32_t)bytes;
      return 0;
    }
  }
  JS_ThrowTypeError(ctx, "%s: %s must be a Uint8Array", function, argument);
  return -1;
}

const char *want_str(JSContext *ctx, JSValueConst value, const char *function,
                     const char *argument) {
  size_t len;
  if (!JS_IsString(value)) {
    JS_ThrowTypeError(ctx, "%s: %s must be a string", function, argument);
    return NULL;
  }
  const char *text = JS_ToCStringLen(ctx, &len, value);
  if (!text)
    return NULL;
  if (memchr(text, 0, len))
    JS_ThrowTypeError(ctx, "%s: %s holds a NUL", function, argument);
  else {
    /* QuickJS stores a string with a surrogate in 16-bit characters: this UTF-8 is our own copy. */
    if (text_bytes((char *)(uintptr_t)text, len) >= 0)
      return text;
    JS_ThrowTypeError(ctx, "%s: %s holds a lone surrogate", function, argument);
  }
  JS_FreeCString(ctx, text);
  return NULL;
}
