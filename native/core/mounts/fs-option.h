/* One option of a file system in its context (fsconfig(2)). */
#ifndef RUNT_FS_OPTION_H
#define RUNT_FS_OPTION_H
#include "../kernel.h"
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sets `key`, or `key=value`. 0, or -1 with errno. */
static inline long set_fs_option(int fs, const char *option) {
  const char *equals = strchr(option, '=');
  if (!equals)
    return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, option, NULL, 0);
  char key[256];
  size_t n = (size_t)(equals - option);
  if (n >= sizeof key) {
    errno = EINVAL;
    return -1;
  }
  memcpy(key, option, n);
  key[n] = 0;
  return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
}
#endif
