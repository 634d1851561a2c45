/* Closing of the descriptors in procfs, where close_range(2) is refused or lacks its flag. */
#ifndef RUNT_CLOSE_LISTED_H
#define RUNT_CLOSE_LISTED_H
#include "../files/directory-entry.h"
#include "procfs.h"
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* The number that a name spells; -1 for any other name. */
static inline int listed_number(const char *name) {
  int fd = *name ? 0 : -1;
  for (; *name && fd >= 0; name++)
    fd = *name < '0' || *name > '9' || fd > INT_MAX / 10 - 1 ? -1 : 10 * fd + (*name - '0');
  return fd;
}

/* Closes all from `from` on but those that is_kept (NULL: none) keeps. Closing while reading is
 * allowed, but after a pass that closed something another one follows. 0, or -1 with errno. */
static inline int close_listed(unsigned from, int (*is_kept)(int fd)) {
  int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 0;
  if (dir < 0)
    return -1;
  if (check_procfs(dir))
    failed = -1;
  for (int closed = 1; closed && !failed;) {
    _Alignas(struct directory_entry) char buffer[2048];
    long n;
    closed = 0;
    failed = lseek(dir, 0, SEEK_SET) ? -1 : 0;
    while (!failed && (n = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) != 0) {
      failed = n < 0 ? -1 : 0;
      for (char *at = buffer; at < buffer + n;
           at += ((struct directory_entry *)(void *)at)->length) {
        int fd = listed_number(((struct directory_entry *)(void *)at)->name);
        if (fd < (int)from || fd == dir || (is_kept && is_kept(fd)))
          continue;
        close(fd);
        closed = 1;
      }
    }
  }
  close(dir);
  return failed;
}
#endif
