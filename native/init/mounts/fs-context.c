/* The context in which a file system is configured: fsopen(2), fspick(2), fsconfig(2). */
#include "../../core/mounts/fs-option.h"
#include "../init.h"

int fail_context(int fs, const char *syscall, const char *what) {
  int saved = errno;
  char text[512];
  ssize_t n = read(fs, text, sizeof text - 1);
  if (n > 2) {
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return fail_with(saved, syscall, text + 2); /* after "e " */
  }
  return fail_with(saved, syscall, what);
}

int set_option(int fs, const char *option) {
  return or_refused(set_fs_option(fs, option), SYS_fsconfig);
}
