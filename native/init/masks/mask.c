/* maskedPaths. */
#include "../init.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

/* A clone of the container's /dev/null, verified on the descriptor that is cloned (CVE-2025-31133).
 */
static int clone_null(void) {
#ifdef RUNT_WEAK_NULL
  /* Only for the runt-init that test/security attacks: takes any file for the null device. */
  int any CLEANUP_CLOSE = resolve("/dev/null", 0, 0, NULL);
  int weak = any < 0 ? -1 : clone_mount(any, "", AT_EMPTY_PATH);
  return weak < 0 ? fail("openat2", "/dev/null") : weak;
#endif
  int fd CLEANUP_CLOSE = resolve("/dev/null", O_NOFOLLOW, 0, NULL);
  struct stat st;
  if (fd < 0 || fstat(fd, &st))
    return fail("openat2", "/dev/null");
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
    return fail_with(ENODEV, "stat", "/dev/null of the container is not the null device");
  int tree = clone_mount(fd, "", AT_EMPTY_PATH);
  return tree < 0 ? fail(clone_call(), "/dev/null") : tree;
}

/* The same by mount(2), where the mount API is refused. */
static int old_empty_directory(const char *label, const char *call) {
  int error = errno;
  char data[4096];
  struct text t = TEXT_IN(data);
  if (label) { /* a label may hold commas */
    text_add(&t, "context=\"");
    text_add(&t, label);
    text_add_char(&t, '"');
  }
  if (t.cut)
    return fail_with(E2BIG, "mount", "tmpfs");
  int tree = error == ENOSYS ? stage_fs("tmpfs", MS_RDONLY, data) : -1;
  if (tree < 0)
    return fail_with(error, call, "tmpfs");
  init.mask_tree = sys_duplicate(tree);
  return tree;
}

/* An empty read-only tmpfs: the first directory gets a new one, later ones a clone of it. All have
 * one label, or none (NULL). */
static int empty_directory(const char *label) {
  if (init.mask_tree >= 0) {
    int tree = clone_mount(init.mask_tree, "", AT_EMPTY_PATH);
    return tree < 0 ? fail(clone_call(), "tmpfs") : tree;
  }
  int fs CLEANUP_CLOSE = sys_fsopen("tmpfs");
  if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "tmpfs") ||
      sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL) ||
      (label && sys_fsconfig(fs, FSCONFIG_SET_STRING, "context", label)) ||
      sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL))
    return old_empty_directory(label, fs < 0 ? "fsopen" : "fsconfig");
  int tree = sys_fsmount(fs, MOUNT_ATTR_RDONLY);
  if (tree < 0)
    return old_empty_directory(label, "fsmount");
  init.mask_tree = sys_duplicate(tree);
  return tree;
}

/* Safe: the path is resolved inside the root to a descriptor, or from the descriptor of a mount of
 * the plan. A path that is missing there is missing in the container, wherever the mount point is
 * moved. The mask over it is our own mount, and verified. */
int op_mask(const struct op *op) {
  const char *path = op->v[MASK_PATH].str;
  char found[PATH_MAX];
  int target CLEANUP_CLOSE = resolve(path, 0, 0, found);
  struct stat st;
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
    return 0;
  if (target < 0 || fstat(target, &st))
    return fail("openat2", path);
  const struct value *label = &op->v[MASK_LABEL];
  int tree CLEANUP_CLOSE =
      S_ISDIR(st.st_mode) ? empty_directory(label->present ? label->str : NULL) : clone_null();
  if (tree < 0)
    return -1;
  return put_mount(&tree, target, path, found, 0) ? fail(move_call(), path) : 0;
}
