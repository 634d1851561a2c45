/* What Debian's libseccomp.a, compiled for glibc with its checks, wants and musl has not. */
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) int __fprintf_chk(FILE *stream, int flag, const char *format,
                                                        ...);

/* The flag asks for a check of %n, which musl has nothing of. libseccomp prints with it only what
 * is not asked for here, its text form of a filter. */
int __fprintf_chk(FILE *stream, int flag, const char *format, ...) {
  (void)flag;
  va_list rest;
  va_start(rest, format);
  int n = vfprintf(stream, format, rest);
  va_end(rest);
  return n;
}
