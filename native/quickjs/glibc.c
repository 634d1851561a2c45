/* Functions that Debian's libseccomp.a and libnghttp2.a, compiled for glibc with its checks, need
 * and musl lacks. */
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) int __fprintf_chk(FILE *stream, int flag, const char *format,
                                                        ...);

__attribute__((format(printf, 5, 0))) int
__vsnprintf_chk(char *to, size_t room, int flag, size_t known, const char *format, va_list rest);

/* The flag requests a check of %n, which musl does not have. libseccomp prints only its text form
 * of a filter with it, nghttp2 only the content of its map, which runt does not use. */
int __fprintf_chk(FILE *stream, int flag, const char *format, ...) {
  (void)flag;
  va_list rest;
  va_start(rest, format);
  // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start
  int n = vfprintf(stream, format, rest);
  va_end(rest);
  return n;
}

/* nghttp2 formats only the debug data of its own GOAWAY frames with it. */
int __vsnprintf_chk(char *to, size_t room, int flag, size_t known, const char *format,
                    va_list rest) {
  (void)flag;
  return vsnprintf(to, room < known ? room : known, format, rest);
}
