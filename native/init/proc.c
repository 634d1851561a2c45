/* The private procfs: opened before any mount of the container's, so that nothing in the container
 * can stand between a write and the file that it is meant for (CVE-2019-16884, CVE-2025-52881). */
#include "init.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Inode of the root of every procfs (PROC_ROOT_INO). */
enum { PROC_ROOT_INODE = 1 };

static int is_procfs_root(int fd) {
  struct statfs fs;
  struct stat st;
  return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == PROC_SUPER_MAGIC_ &&
         fstat(fd, &st) == 0 && st.st_ino == PROC_ROOT_INODE;
}

/* Safe: the host's /proc as it was before this process changed a mount, verified to be the root of
 * a procfs; where the host shows something else there, a procfs of our own that is mounted nowhere.
 */
int op_procfs(const struct op *op) {
  (void)op;
  init.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (init.proc >= 0 && is_procfs_root(init.proc))
    return 0;
  close_cleanup(&init.proc);
  int fs CLEANUP_CLOSE = sys_fsopen("proc");
  if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE_, NULL, NULL))
    return fail("fsopen", "proc");
  init.proc = sys_fsmount(fs, MOUNT_ATTR_NOSUID_ | MOUNT_ATTR_NODEV_ | MOUNT_ATTR_NOEXEC_);
  return init.proc < 0 ? fail("fsmount", "proc") : 0;
}

int proc_open(const char *path, int flags) {
  struct open_how_ how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                          .resolve = RESOLVE_BENEATH_ | RESOLVE_NO_XDEV_ | RESOLVE_NO_SYMLINKS_};
  int fd = sys_openat2(init.proc, path, &how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return fd;
  /* No openat2: nothing but the kernel makes names or links in a procfs, and what is found must be
   * on one. */
  fd = openat(init.proc, path, flags | O_CLOEXEC | O_NOFOLLOW);
  struct statfs fs;
  if (fd >= 0 && (fstatfs(fd, &fs) || (unsigned long)fs.f_type != PROC_SUPER_MAGIC_)) {
    close(fd);
    errno = EXDEV;
    return -1;
  }
  return fd;
}

/* Safe: the path is below sys/ of the private procfs, without symlinks or `..` (RESOLVE_BENEATH);
 * which namespace a key acts on is checked when the config is compiled. */
int op_sysctl(const struct op *op) {
  const char *key = op->v[SYSCTL_KEY].str, *value = op->v[SYSCTL_VALUE].str;
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "sys/%s", key) >= PATH_MAX)
    return fail_with(ENAMETOOLONG, "open", key);
  int fd CLEANUP_CLOSE = proc_open(path, O_WRONLY);
  if (fd < 0)
    return fail("open", key);
  size_t length = strlen(value);
  if (write(fd, value, length) != (ssize_t)length)
    return fail("write", key);
  return 0;
}
