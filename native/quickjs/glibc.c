/* Functions that Debian's libseccomp.a, compiled for glibc with its checks, needs and musl
 * lacks. */
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) int __fprintf_chk(FILE *stream, int flag, const char *format,
                                                        ...);

/* The flag requests a check of %n, which musl does not have. libseccomp prints only its text form
 * of a filter with it, which runt does not use. */
int __fprintf_chk(FILE *stream, int flag, const char *format, ...) {
  (void)flag;
  va_list rest;
  va_start(rest, format);
  int n = vfprintf(stream, format, rest);
  va_end(rest);
  return n;
}
