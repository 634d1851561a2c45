/* Files of the host that runt writes for good: whole or not at all, even if the power fails. */
#include "../core.h"
#include "write-all.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* Writes the name of the file that takes the place of path, and removes one that a run left, which
 * was killed before the rename. 0 or -errno. */
static int32_t prepare(char temporary[PATH_MAX], const char *path) {
  static const char end[] = ".runt-new";
  size_t n = strlen(path);
  if (n + sizeof end > PATH_MAX)
    return -ENAMETOOLONG;
  memcpy(temporary, path, n);
  memcpy(temporary + n, end, sizeof end);
  return unlink(temporary) < 0 && errno != ENOENT ? -errno : 0;
}

/* Gives the temporary file its name, and makes that last. Removes the file if it gets no name. */
static int32_t put(char temporary[PATH_MAX], const char *path) {
  if (rename(temporary, path) < 0) {
    int saved = errno;
    unlink(temporary);
    return -saved;
  }
  char *slash = strrchr(temporary, '/');
  const char *directory = slash == temporary ? "/" : slash ? temporary : ".";
  if (slash)
    *slash = 0;
  AUTO_CLOSE int fd = RETRY(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return result(fd < 0 ? -1 : fsync(fd));
}

int32_t runt_installFile(const char *path, int32_t mode, int64_t uid, int64_t gid,
                         const uint8_t *data, uint32_t data_len) {
  char temporary[PATH_MAX];
  if (data_len > INT32_MAX || uid < -1 || uid > UINT32_MAX || gid < -1 || gid > UINT32_MAX)
    return -EINVAL;
  int32_t prepared = prepare(temporary, path);
  if (prepared < 0)
    return prepared;
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  AUTO_CLOSE int fd = RETRY(open(temporary, flags, 0600));
  if (fd < 0)
    return -errno;
  if (write_all(fd, data, data_len) < 0 || fchown(fd, (uid_t)uid, (gid_t)gid) < 0 ||
      fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0) {
    int saved = errno;
    unlink(temporary);
    return -saved;
  }
  return put(temporary, path);
}

int32_t runt_installLink(const char *target, const char *path) {
  char temporary[PATH_MAX];
  int32_t prepared = prepare(temporary, path);
  if (prepared < 0)
    return prepared;
  if (symlink(target, temporary) < 0)
    return -errno;
  return put(temporary, path);
}
