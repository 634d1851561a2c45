/* Files of the host that runt writes for good: whole or not at all, even if the power fails. */
#include "../core.h"
#include "write-all.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* Writes the name of the file that takes the place of path. -1 with errno if that is too long. */
static int temporary_name(char out[PATH_MAX], const char *path) {
  static const char end[] = ".runt-new";
  size_t n = strlen(path);
  if (n + sizeof end > PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(out, path, n);
  memcpy(out + n, end, sizeof end);
  return 0;
}

/* fsync(2) of the directory of a file, so that a rename in it lasts. */
static int sync_directory(const char *path) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= sizeof directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(directory, path, n);
  directory[n] = 0;
  const char *name = n > 0 ? directory : slash ? "/" : ".";
  AUTO_CLOSE int fd = RETRY(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd < 0 ? -1 : fsync(fd);
}

/* Gives the temporary file its name. Removes it if that fails. */
static int32_t put(const char *temporary, const char *path) {
  if (rename(temporary, path) < 0) {
    int saved = errno;
    unlink(temporary);
    return -saved;
  }
  return result(sync_directory(path));
}

int32_t runt_installFile(const char *path, int32_t mode, int64_t uid, int64_t gid,
                         const uint8_t *data, uint32_t data_len) {
  char temporary[PATH_MAX];
  if (data_len > INT32_MAX || uid < -1 || uid > UINT32_MAX || gid < -1 || gid > UINT32_MAX)
    return -EINVAL;
  if (temporary_name(temporary, path) < 0)
    return -errno;
  /* Left by a run that was killed before the rename. */
  if (unlink(temporary) < 0 && errno != ENOENT)
    return -errno;
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
  if (temporary_name(temporary, path) < 0)
    return -errno;
  if (unlink(temporary) < 0 && errno != ENOENT)
    return -errno;
  if (symlink(target, temporary) < 0)
    return -errno;
  return put(temporary, path);
}
