/* UTF-8 as the WHATWG encoding standard has it: TextDecoder with ignoreBOM, and TextEncoder. */
#ifndef RUNT_TEXT_H
#define RUNT_TEXT_H
#include "quickjs.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A string of the bytes; every maximal part that is no UTF-8 becomes U+FFFD. */
JSValue text_decode(JSContext *ctx, const uint8_t *bytes, size_t len);

/* The same, but each byte that is no UTF-8 becomes the lone surrogate U+DC00 + byte: arguments and
 * paths are bytes, and text_encode gives them back as they were. */
JSValue text_decode_raw(JSContext *ctx, const uint8_t *bytes, size_t len);

/* An ArrayBuffer of the string's UTF-8; U+DC80 to U+DCFF, where they stand alone, are the bytes 80
 * to FF, and another lone surrogate becomes U+FFFD. */
JSValue text_encode(JSContext *ctx, JSValueConst string);

/* Puts these bytes into the UTF-8 that QuickJS has written, in place, and returns the new length;
 * -1 at another lone surrogate. What follows the text, a NUL, moves along. */
ssize_t text_bytes(char *text, size_t len);

#endif
