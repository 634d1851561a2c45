/* Files without a path, where memfd_create(2) is refused. O_TMPFILE makes one that is in no
 * directory, and O_EXCL keeps it so (open(2)). Only a process that may open this one's descriptors
 * in procfs can reach it, and such a process may also trace this one. */
#include "private-file.h"
#include "../core.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int private_file(int executable) {
  static const char *const directories[] = {"/dev/shm", "/run", "/tmp", "/var/tmp"};
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
    AUTO_CLOSE int fd = open(directories[i], O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    struct statvfs on;
    if (fd < 0 || (executable && (fstatvfs(fd, &on) < 0 || on.f_flag & ST_NOEXEC)))
      continue;
    /* This mode, whatever the umask is. */
    if (fchmod(fd, executable ? 0500 : 0400) < 0)
      continue;
    int made = fd;
    fd = -1;
    return made;
  }
  errno = ENOSYS;
  return -1;
}

int private_finish(int fd) {
  AUTO_CLOSE int writable = fd;
  char name[32];
  snprintf(name, sizeof name, "/proc/self/fd/%d", writable);
  int readable = open(name, O_RDONLY | O_CLOEXEC);
  struct stat was, now;
  if (readable >= 0 && fstat(writable, &was) == 0 && fstat(readable, &now) == 0 &&
      was.st_dev == now.st_dev && was.st_ino == now.st_ino)
    return readable;
  close_fd(&readable);
  errno = ENOSYS; /* /proc is not a procfs of ours */
  return -1;
}
