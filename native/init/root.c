/* The mount tree around the container: what is inherited, the root file system as a mount, the
 * switch into it. */
#include "init.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

/* Safe: acts on our copy of the mount tree. After it nothing that is mounted here reaches the host,
 * unless the config asks for shared propagation. */
int op_host_propagation(const struct op *op) {
  return mount(NULL, "/", NULL, (unsigned long)op->v[HOST_PROPAGATION_FLAGS].num, NULL)
             ? fail("mount", "/")
             : 0;
}

/* The root file system is cloned and attached over `/`, where this process, whose root is the
 * directory below, does not see it: so it needs no path that the container's root could reach, and
 * its parent mount is one whose propagation we may make private (pivot_root(2) demands that, and it
 * keeps the attaching itself from the host). Safe: the path is the config's, opened once; all that
 * follows is done on the clone's descriptor. */
int op_rootfs(const struct op *op) {
  const char *path = op->v[ROOTFS_PATH].str;
  int64_t slot = (int64_t)op->v[ROOTFS_SLOT].num;
  if (slot >= (int64_t)init.slot_count)
    return fail_with(EBADF, "open_tree", path);
  int tree = slot >= 0 ? init.slots[slot]
                       : sys_open_tree(AT_FDCWD, path,
                                       OPEN_TREE_CLONE_ | OPEN_TREE_CLOEXEC_ | AT_RECURSIVE_);
  if (tree < 0)
    return fail("open_tree", path);
  if (slot >= 0)
    init.slots[slot] = -1;
  if (mount(NULL, "/", NULL, MS_PRIVATE, NULL))
    return fail("mount", "/");
  struct mount_attributes private = {.propagation = MS_PRIVATE};
  if (op->v[ROOTFS_PRIVATE].num && sys_mount_setattr(tree, 0, &private))
    return fail("mount_setattr", path);
  int over CLEANUP_CLOSE = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (over < 0)
    return fail("open", "/");
  if (sys_move_mount(tree, over))
    return fail("move_mount", path);
  init.root = tree;
  return 0;
}

static int reopen_root(void) {
  if (chdir("/"))
    return fail("chdir", "/");
  close(init.root);
  init.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init.root < 0 ? fail("open", "/") : 0;
}

/* Safe: by pivot_root(".", ".") the old root lies over the new one and needs no directory in the
 * root file system; it is made a slave first, so that its unmounting is not seen by the host, and
 * then detached with all that is below it. */
int op_pivot_root(const struct op *op) {
  (void)op;
  int old CLEANUP_CLOSE = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(init.root))
    return fail("fchdir", "/");
  if (syscall(SYS_pivot_root, ".", "."))
    return fail("pivot_root", NULL);
  if (fchdir(old) || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL))
    return fail("mount", "the old root");
  if (umount2(".", MNT_DETACH))
    return fail("umount2", "the old root");
  return reopen_root();
}

/* Removes, or covers, the mounts of proc and sysfs that the host has: without a pivot they stay in
 * this mount namespace, and a mount that shows all of proc lets a user namespace inside mount
 * another one that is not masked. */
static int hide_host_proc(void) {
  char self[64];
  ssize_t n = readlinkat(init.proc, "self", self, 32);
  if (n < 0)
    return fail("readlink", "/proc/self");
  strcpy(self + n, "/mountinfo");
  int fd = proc_open(self, O_RDONLY);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  if (!f)
    return fail("open", "/proc/self/mountinfo");
  char *line = NULL;
  size_t size = 0;
  int past_root = 0;
  while (getline(&line, &size, f) > 0) {
    char target[PATH_MAX], *type = strstr(line, " - ");
    if (!type || sscanf(line, "%*s %*s %*s %*s %4095s", target) != 1)
      continue;
    /* Mounts on / come twice: the host's root, then the container's over it; what follows that is
     * ours. */
    past_root += strcmp(target, "/") == 0;
    if (past_root > 1 || (strncmp(type + 3, "proc ", 5) && strncmp(type + 3, "sysfs ", 6)))
      continue;
    if (umount2(target, MNT_DETACH) && (errno == EINVAL || errno == EPERM))
      if (mount("tmpfs", target, "tmpfs", 0, "")) {
        free(line);
        fclose(f);
        return fail("mount", target);
      }
  }
  free(line);
  fclose(f);
  return 0;
}

/* For roots that pivot_root(2) refuses (an initramfs). The root is attached over `/` already, so it
 * needs no move: the working directory and the root of the process change into it. Weaker than a
 * pivot, as the old tree stays below. */
int op_move_root(const struct op *op) {
  (void)op;
  if (hide_host_proc())
    return -1;
  if (fchdir(init.root))
    return fail("fchdir", "/");
  if (chroot("."))
    return fail("chroot", NULL);
  return reopen_root();
}

int op_root_propagation(const struct op *op) {
  return mount(NULL, "/", NULL, (unsigned long)op->v[ROOT_PROPAGATION_FLAGS].num, NULL)
             ? fail("mount", "/")
             : 0;
}

int op_readonly_root(const struct op *op) {
  (void)op;
  return set_attributes(init.root, MOUNT_ATTR_RDONLY_, 0, 0) ? fail("mount_setattr", "/") : 0;
}
