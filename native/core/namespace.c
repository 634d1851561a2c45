/* Namespace files (nsfs, ioctl_nsfs(2)). */
#include "core.h"
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int32_t runt_namespaceOpen(const char *path, uint8_t *data, uint32_t data_cap) {
  if (data_cap < 3 * 8)
    return -EOVERFLOW;
  /* Opening a device or a fifo for reading has effects: check the type first. */
  AUTO_CLOSE int found = RETRY(open(path, O_PATH | O_CLOEXEC));
  struct statfs fs;
  if (found < 0 || fstatfs(found, &fs) < 0)
    return -errno;
  if ((unsigned long)fs.f_type != NSFS_MAGIC)
    return -ENOTTY;
  char name[40];
  snprintf(name, sizeof name, "/proc/self/fd/%d", found);
  AUTO_CLOSE int fd = RETRY(open(name, O_RDONLY | O_CLOEXEC));
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  int type = ioctl(fd, NS_GET_NSTYPE);
  if (type < 0)
    return -errno;
  put_i64(data, 0, type);
  put_i64(data, 1, (int64_t)st.st_dev);
  put_i64(data, 2, (int64_t)st.st_ino);
  int result = fd;
  fd = -1;
  return result;
}

int32_t runt_userNamespaceOf(int32_t namespace) {
  int fd = ioctl(namespace, NS_GET_USERNS);
  return fd < 0 ? -errno : fd;
}
