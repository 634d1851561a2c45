/* Files: open, read, write, replace, stat, directories, locks. */
#include "../core.h"
#include "../refused.h"
#include "../time-limits.h"
#include "private-file.h"
#include "write-all.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

int32_t runt_openAt(int32_t dirfd, const char *path, int32_t flags, int32_t mode) {
  return result(RETRY(openat(dirfd, path, flags | O_CLOEXEC, (mode_t)mode)));
}

int32_t runt_openAt2(int32_t dirfd, const char *path, int32_t flags, int32_t mode,
                     int32_t resolve) {
  struct open_how how = {
      .flags = (uint32_t)(flags | O_CLOEXEC), .mode = (uint32_t)mode, .resolve = (uint32_t)resolve};
  long fd = -1;
  /* EAGAIN: a rename or mount raced with a RESOLVE_BENEATH or RESOLVE_IN_ROOT walk (openat2(2)). */
  for (int tries = 0; tries < WALK_TRIES; tries++) {
    fd = RETRY(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN)
      break;
  }
  return result(fd);
}

int32_t runt_openDirectory(int32_t dirfd, const char *name, int32_t flags) {
  return result(RETRY(openat(dirfd, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
}

int32_t runt_openEntry(int32_t dirfd, const char *name, int32_t flags) {
  const int always = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  return result(RETRY(openat(dirfd, name, flags | always)));
}

/* Linux has closed the descriptor even if close(2) returns EINTR. */
int32_t runt_close(int32_t fd) { return close(fd) == 0 || errno == EINTR ? 0 : -errno; }

int32_t runt_read(int32_t fd, uint8_t *data, uint32_t data_cap) {
  if (data_cap > INT32_MAX)
    return -EINVAL;
  return result(RETRY(read(fd, data, data_cap)));
}

/* Waits until a descriptor is writable, for `most` ms (-1: without limit). 0, or -1 with errno. */
static int wait_writable(int fd, int most) {
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  int r = RETRY(poll(&p, 1, most));
  if (r == 0)
    errno = ETIMEDOUT;
  return r > 0 ? 0 : -1;
}

int32_t runt_write(int32_t fd, const uint8_t *data, uint32_t data_len) {
  if (data_len > INT32_MAX)
    return -EINVAL;
  /* send(2) for its flags: a reader that is stopped must not block runt for ever. Stdio is seldom a
   * socket. There a closed pipe ends this process, and a slow reader slows it, as any program. */
  int is_socket = fd > 2;
  uint32_t done = 0;
  do {
    ssize_t n = is_socket ? send(fd, data + done, data_len - done, MSG_NOSIGNAL | MSG_DONTWAIT)
                          : write(fd, data + done, data_len - done);
    if (n >= 0)
      done += (uint32_t)n;
    else if (errno == ENOTSOCK && is_socket)
      is_socket = 0;
    else if (errno == EAGAIN) {
      if (wait_writable(fd, is_socket ? WRITE_TIME : -1) < 0)
        return -errno;
    } else if (errno != EINTR)
      return -errno;
    else
      continue;
  } while (done < data_len);
  return (int32_t)done;
}

int32_t runt_writeOnce(int32_t fd, const uint8_t *data, uint32_t data_len) {
  if (data_len > INT32_MAX)
    return -EINVAL;
  return result(RETRY(write(fd, data, data_len)));
}

/* Opens a file for reading. The open of a FIFO would wait for a writer, perhaps for ever, with the
 * signals blocked that could end it. On a file with a lease the flag fails, and the wait is limited
 * (/proc/sys/fs/lease-break-time). */
static int open_to_read(int dirfd, const char *path) {
  int fd = RETRY(openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd < 0 && errno == EAGAIN)
    fd = RETRY(openat(dirfd, path, O_RDONLY | O_CLOEXEC));
  return fd;
}

/* Waits for data, or for a writer that is about to open a FIFO. 0, 1 for another kind of file, or
 * -errno: -ENXIO for a FIFO without a writer. */
static int wait_for_writer(int fd, int has_writer) {
  struct stat st;
  if (!has_writer && (fstat(fd, &st) || !S_ISFIFO(st.st_mode)))
    return 1;
  struct pollfd wait = {fd, POLLIN, 0};
  int n = RETRY(poll(&wait, 1, has_writer ? -1 : FIFO_OPEN_TIME));
  return n < 0 ? -errno : n ? 0 : -ENXIO;
}

int32_t runt_readFile(int32_t dirfd, const char *path, uint8_t *data, uint32_t data_cap) {
  if (data_cap > INT32_MAX)
    return -EINVAL;
  AUTO_CLOSE int fd = open_to_read(dirfd, path);
  if (fd < 0)
    return -errno;
  uint32_t done = 0;
  for (int waited = 0;;) {
    uint8_t probe;
    uint32_t room = data_cap - done;
    ssize_t n = RETRY(read(fd, room ? data + done : &probe, room ? room : 1));
    if (n < 0 && errno != EAGAIN)
      return -errno;
    /* The end of an empty file, or a FIFO that no writer has opened. */
    if (n < 0 || (n == 0 && !done && !waited)) {
      int r = wait_for_writer(fd, n < 0);
      if (r)
        return r < 0 ? r : (int32_t)done;
      waited = 1;
      continue;
    }
    if (n == 0)
      return (int32_t)done;
    if (room == 0)
      return -EOVERFLOW;
    done += (uint32_t)n;
  }
}

int write_all(int fd, const uint8_t *data, uint32_t len) {
  uint32_t done = 0;
  do {
    ssize_t n = RETRY(write(fd, data + done, len - done));
    if (n < 0)
      return -1;
    done += (uint32_t)n;
  } while (done < len);
  return 0;
}

int32_t runt_writeFile(int32_t dirfd, const char *path, int32_t flags, int32_t mode,
                       const uint8_t *data, uint32_t data_len) {
  if (data_len > INT32_MAX)
    return -EINVAL;
  AUTO_CLOSE int fd = RETRY(openat(dirfd, path, O_WRONLY | O_CLOEXEC | flags, (mode_t)mode));
  /* O_NONBLOCK is for the open: a FIFO without a reader is ENXIO. A slow reader slows the write. */
  if (fd < 0 || (flags & O_NONBLOCK && fcntl(fd, F_SETFL, flags & O_APPEND)) ||
      write_all(fd, data, data_len) < 0)
    return -errno;
  return (int32_t)data_len;
}

int32_t runt_replaceFile(int32_t dirfd, const char *path, int32_t mode, const uint8_t *data,
                         uint32_t data_len) {
  char temporary[PATH_MAX];
  size_t n = strlen(path);
  if (data_len > INT32_MAX)
    return -EINVAL;
  if (n + sizeof ".tmp" > sizeof temporary)
    return -ENAMETOOLONG;
  memcpy(temporary, path, n);
  memcpy(temporary + n, ".tmp", sizeof ".tmp");
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  AUTO_CLOSE int fd = RETRY(openat(dirfd, temporary, flags, (mode_t)mode));
  if (fd < 0 && errno == EEXIST) {
    /* Left by a run that was killed between open and rename. */
    if (unlinkat(dirfd, temporary, 0) < 0)
      return -errno;
    fd = RETRY(openat(dirfd, temporary, flags, (mode_t)mode));
  }
  if (fd < 0)
    return -errno;
  if (write_all(fd, data, data_len) < 0 || renameat(dirfd, temporary, dirfd, path) < 0) {
    int saved = errno;
    unlinkat(dirfd, temporary, 0);
    return -saved;
  }
  return 0;
}

int32_t runt_mkdirAt(int32_t dirfd, const char *path, int32_t mode) {
  return result(mkdirat(dirfd, path, (mode_t)mode));
}

int32_t runt_chownAt(int32_t dirfd, const char *path, int64_t uid, int64_t gid) {
  if (uid < -1 || uid > UINT32_MAX || gid < -1 || gid > UINT32_MAX)
    return -EINVAL;
  int flags = AT_SYMLINK_NOFOLLOW | (*path ? 0 : AT_EMPTY_PATH);
  return result(fchownat(dirfd, path, (uid_t)uid, (gid_t)gid, flags));
}

int32_t runt_chmodAt(int32_t dirfd, const char *path, int32_t mode) {
  return result(fchmodat(dirfd, path, (mode_t)mode, 0));
}

int32_t runt_renameAt(int32_t from, const char *old, int32_t to, const char *name) {
  return result(renameat(from, old, to, name));
}

int32_t runt_unlinkAt(int32_t dirfd, const char *path, int32_t flags) {
  return result(unlinkat(dirfd, path, flags));
}

int32_t runt_stat(int32_t dirfd, const char *path, int32_t flags, uint8_t *data,
                  uint32_t data_cap) {
  struct stat s;
  if (data_cap < 8 * 8)
    return -EOVERFLOW;
  if (fstatat(dirfd, path, &s, flags) < 0)
    return -errno;
  put_i64(data, 0, s.st_mode);
  put_i64(data, 1, s.st_uid);
  put_i64(data, 2, s.st_gid);
  put_i64(data, 3, s.st_size);
  put_i64(data, 4, (int64_t)s.st_ino);
  put_i64(data, 5, (int64_t)s.st_dev);
  put_i64(data, 6, (int64_t)s.st_rdev);
  put_i64(data, 7, (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec);
  return 0;
}

int32_t runt_access(const char *path, int32_t mode) {
  long r = faccessat(AT_FDCWD, path, mode, AT_EACCESS);
  /* musl handles a missing faccessat2(2), but not a filter's EPERM. */
  if (r < 0 && errno == EPERM && is_refused(SYS_faccessat2) && getuid() == geteuid() &&
      getgid() == getegid())
    r = faccessat(AT_FDCWD, path, mode, 0);
  return result(r);
}

int64_t runt_statfsType(const char *path) {
  struct statfs s;
  if (RETRY(statfs(path, &s)) < 0)
    return -errno;
  return (int64_t)(uint32_t)s.f_type;
}

int32_t runt_getXattr(const char *path, const char *name, uint8_t *data, uint32_t data_cap) {
  return result(RETRY(getxattr(path, name, data, data_cap)));
}

int32_t runt_readLink(int32_t dirfd, const char *path, uint8_t *data, uint32_t data_cap) {
  if (data_cap == 0 || data_cap > INT32_MAX)
    return -EINVAL;
  ssize_t n = readlinkat(dirfd, path, (char *)data, data_cap);
  if (n >= 0 && (uint32_t)n == data_cap)
    return -EOVERFLOW; /* it may have been truncated */
  return result(n);
}

int32_t runt_flock(int32_t fd, int32_t operation) { return result(RETRY(flock(fd, operation))); }

int32_t runt_cwd(uint8_t *data, uint32_t data_cap) {
  if (data_cap == 0)
    return -EINVAL;
  if (!getcwd((char *)data, data_cap))
    return -errno;
  return (int32_t)strlen((const char *)data);
}

int32_t runt_openTree(int32_t dirfd, const char *path, int32_t flags) {
  long fd = syscall(SYS_open_tree, dirfd, path, (unsigned)flags | O_CLOEXEC);
  if (fd < 0)
    is_refused(SYS_open_tree);
  return result(fd);
}

int32_t runt_idMapTree(int32_t tree, int32_t namespace, int32_t flags) {
  struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) namespace};
  if (namespace < 0)
    return -EBADF;
  long r = syscall(SYS_mount_setattr, tree, "", (unsigned)flags | AT_EMPTY_PATH, &a, sizeof a);
  if (r < 0)
    is_refused(SYS_mount_setattr);
  return result(r);
}

int32_t runt_sealedFile(const uint8_t *data, uint32_t data_len) {
  AUTO_CLOSE int fd = memfd_create("runt", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int unsealed = fd < 0 && is_refused(SYS_memfd_create) && (fd = private_file(0)) >= 0;
  if (fd < 0)
    return -errno;
  for (uint32_t done = 0; done < data_len;) {
    ssize_t n = RETRY(pwrite(fd, data + done, data_len - done, done));
    if (n < 0)
      return -errno;
    done += (uint32_t)n;
  }
  if (!unsealed &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return -errno;
  int sealed = fd;
  fd = -1;
  return unsealed ? result(private_finish(sealed)) : sealed;
}
