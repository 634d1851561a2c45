/* /proc/PID/stat, read from a procfs that was verified to show the caller's pid namespace. */
#include "core.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

static int is_procfs(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) < 0)
    return -errno;
  return (uint32_t)fs.f_type == PROC_SUPER_MAGIC ? 0 : -ENODEV;
}

/* /proc/self is the reader's number in the pid namespace of the procfs; a reader that is not in
 * that namespace gets ENOENT. */
static int is_of_this_namespace(int proc) {
  char number[16];
  ssize_t n = readlinkat(proc, "self", number, sizeof number - 1);
  if (n < 0)
    return errno == ENOENT ? -EXDEV : -errno;
  number[n] = 0;
  return atol(number) == getpid() ? 0 : -EXDEV;
}

int32_t runt_processStat(int32_t pid, uint8_t *data, uint32_t data_cap) {
  char path[32];
  if (pid <= 0 || data_cap > INT32_MAX)
    return -EINVAL;
  AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0)
    return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
  int error = is_procfs(proc);
  if (!error)
    error = is_of_this_namespace(proc);
  if (error)
    return error;
  snprintf(path, sizeof path, "%d/stat", pid);
  AUTO_CLOSE int fd = RETRY(openat(proc, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0)
    return -errno;
  /* A mount on /proc/PID hides it as one on /proc does. */
  error = is_procfs(fd);
  if (error)
    return error;
  uint32_t done = 0;
  while (done < data_cap) {
    ssize_t n = RETRY(read(fd, data + done, data_cap - done));
    if (n < 0)
      return -errno;
    if (n == 0)
      break;
    done += (uint32_t)n;
  }
  return done == data_cap ? -EOVERFLOW : (int32_t)done;
}
