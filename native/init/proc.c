/* The private procfs, opened before any mount of the container's: nothing in the container can
 * redirect a write to it (CVE-2019-16884, CVE-2025-52881). */
#include "../core/process/procfs.h"
#include "init.h"

int is_procfs(int fd) { return !check_procfs(fd); }

/* Safe: the host's /proc before this process changed a mount, verified to be the root of a procfs.
 * If the host has something else there, our own procfs that is mounted nowhere. */
int op_procfs(const struct op *op) {
  (void)op;
  init.proc = open_procfs();
  if (init.proc >= 0)
    return 0;
  int fs CLEANUP_CLOSE = sys_fsopen("proc");
  if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL))
    return fail("fsopen", "proc");
  init.proc = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  return init.proc < 0 ? fail("fsmount", "proc") : 0;
}

/* The kernel reports the mount since Linux 5.8. Before that, a part of the same procfs mounted
 * over another one, which only the host can do, goes unnoticed. */
static int on_one_mount(int fd, int root) {
  struct kernel_statx a, b;
  const unsigned mask = STATX_INO | STATX_MNT_ID;
  if (!sys_statx(fd, mask, &a) && !sys_statx(root, mask, &b) &&
      a.stx_mask & b.stx_mask & STATX_MNT_ID)
    return a.stx_mnt_id == b.stx_mnt_id;
  struct stat x, y;
  return is_procfs(fd) && !fstat(fd, &x) && !fstat(root, &y) && x.st_dev == y.st_dev;
}

int proc_open(const char *path, int flags) {
#ifdef RUNT_WEAK_PROCFS
  /* Only for the runt-init that test/security attacks: writes to whatever is at /proc. */
  char string[PATH_MAX];
  struct text t = TEXT_IN(string);
  text_add(&t, "/proc/");
  text_add(&t, path);
  return openat(AT_FDCWD, string, flags | O_CLOEXEC);
#endif
  struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  int fd = sys_openat2(init.proc, path, &how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return fd;
  /* No openat2: only the kernel makes names or links in a procfs, and the file must be on that
   * very mount of it. */
  fd = openat(init.proc, path, flags | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && !on_one_mount(fd, init.proc)) {
    close(fd);
    errno = EXDEV;
    return -1;
  }
  return fd;
}

int proc_open_self(const char *name, int flags) {
  char path[64];
  ssize_t n = readlinkat(init.proc, "self", path, 32);
  if (n < 0)
    return -1;
  struct text t = {path, sizeof path, (size_t)n, 0};
  text_add_char(&t, '/');
  text_add(&t, name);
  return proc_open(path, flags);
}

/* Opens a magic link, which proc_open refuses to follow. Safe: only the kernel makes names below
 * the private procfs, and a mount over one is the host's. */
int proc_open_namespace(const char *name) {
  char path[32] = "self/ns/";
  struct text t = {path, sizeof path, strlen(path), 0};
  text_add(&t, name);
  return openat(init.proc, path, O_RDONLY | O_CLOEXEC);
}
