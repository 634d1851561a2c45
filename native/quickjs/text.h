/* UTF-8 as the WHATWG encoding standard has it: TextDecoder with ignoreBOM, and TextEncoder. */
#ifndef RUNT_TEXT_H
#define RUNT_TEXT_H
#include "quickjs.h"
#include <stddef.h>
#include <stdint.h>

/* A string of the bytes; every maximal part that is no UTF-8 becomes U+FFFD. */
JSValue text_decode(JSContext *ctx, const uint8_t *bytes, size_t len);

/* An ArrayBuffer of the string's UTF-8; a lone surrogate becomes U+FFFD. */
JSValue text_encode(JSContext *ctx, JSValueConst string);

#endif
