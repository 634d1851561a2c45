/* UTF-8 of the WHATWG encoding standard: TextDecoder with ignoreBOM, and TextEncoder. */
#ifndef RUNT_TEXT_H
#define RUNT_TEXT_H
#include "quickjs.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Decodes bytes; every maximal part that is not UTF-8 becomes U+FFFD. */
JSValue text_decode(JSContext *ctx, const uint8_t *bytes, size_t len);

/* The same, but each byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte: arguments
 * and paths are bytes, and text_encode restores them. */
JSValue text_decode_raw(JSContext *ctx, const uint8_t *bytes, size_t len);

/* Encodes a string as UTF-8 in an ArrayBuffer. Lone surrogates U+DC80 to U+DCFF become the bytes
 * 80 to FF, others U+FFFD. */
JSValue text_encode(JSContext *ctx, JSValueConst string);

/* Restores these bytes in UTF-8 that QuickJS wrote, in place. Returns the new length; -1 for
 * another lone surrogate. The NUL after the text moves along. */
ssize_t text_bytes(char *text, size_t len);

#endif
