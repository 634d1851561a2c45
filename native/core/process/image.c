/* The program runt-init, embedded in this binary. It runs from a copy that cannot be changed: a
 * container's process that reaches /proc/PID/exe must not be able to write to a file of the host
 * (CVE-2019-5736). */
#include "image.h"
#include "../core.h"
#include "../files/private-file.h"
#include "../refused.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

EMBED(runt_init, RUNT_INIT_PATH);

static const struct program runt_init = {"runt-init", runt_init_start, runt_init_end};

static int write_image(int fd, const struct program *program) {
  size_t size = (uintptr_t)program->end - (uintptr_t)program->start;
  for (size_t at = 0; at < size;) {
    ssize_t n = RETRY(write(fd, program->start + at, size - at));
    if (n < 0)
      return -errno;
    at += (size_t)n;
  }
  return 0;
}

int image_memfd(const struct program *program) {
  /* MFD_EXEC is Linux 6.3; without it older kernels make an executable memfd. */
  int fd = memfd_create(program->name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create(program->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) {
    is_refused(SYS_memfd_create);
    return -errno;
  }
  int r = write_image(fd, program);
  if (r == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    r = -errno;
  if (r < 0) {
    close(fd);
    return r;
  }
  return fd;
}

int image_tmpfs(const struct program *program) {
  AUTO_CLOSE int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
      syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return -errno;
  AUTO_CLOSE int tree =
      (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (tree < 0)
    return -errno;
  int fd = openat(tree, program->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
  if (fd < 0)
    return -errno;
  int r = write_image(fd, program);
  close(fd);
  if (r < 0)
    return r;
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
    return -errno;
  fd = openat(tree, program->name, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* A copy for one execution. Without seals the container's root may write to it after the
 * execution, through a descriptor of /proc/PID/exe: so no copy is executed twice. During it the
 * kernel refuses writes (ETXTBSY), and before it only this process can reach the copy. */
static int image_copy(void) {
  int fd = private_file(1);
  if (fd >= 0 && write_image(fd, &runt_init) == 0)
    return private_finish(fd);
  close_fd(&fd);
  return -1;
}

struct image image_open(void) {
  static _Atomic int cached = -1;
  int fd = atomic_load(&cached);
  if (fd >= 0)
    return (struct image){.fd = fd};
  fd = image_memfd(&runt_init);
  if (fd == -EACCES || fd == -ENOSYS) {
    /* vm.memfd_noexec = 2 refuses an executable memfd, a filter any. If the other ways fail too,
     * the first error stands. */
    int tree = image_tmpfs(&runt_init), copy = -1;
    if (tree >= 0)
      fd = tree;
    else if ((copy = image_copy()) >= 0)
      return (struct image){.fd = copy, .once = 1};
  }
  int none = -1;
  if (fd >= 0 && !atomic_compare_exchange_strong(&cached, &none, fd)) {
    close(fd); /* another thread was first */
    fd = none;
  }
  return (struct image){.fd = fd};
}

int image_init_tmpfs(void) { return image_tmpfs(&runt_init); }
