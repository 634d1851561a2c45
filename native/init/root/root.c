/* The mount tree around the container: the inherited mounts, the mount of the root file system,
 * the switch into it. */
#include "../init.h"
#include <sched.h>
#include <sys/mount.h>

/* Safe: acts on our copy of the mount tree. After it no mount made here reaches the host, unless
 * the config requests shared propagation. */
int op_host_propagation(const struct op *op) {
  unsigned long flags = op->v[HOST_PROPAGATION_FLAGS].num;
  init.inherited_propagation = flags & ~(unsigned long)MS_REC;
  if (!mount(NULL, "/", NULL, flags, NULL))
    return 0;
  /* EINVAL: the root is not a mount point, so this process is in a chroot. */
  if (errno != EINVAL)
    return fail("mount", "/");
  if (mount_chroot())
    return -1;
  return mount(NULL, "/", NULL, flags, NULL) ? fail("mount", "/") : 0;
}

/* Safe: takes a mount of our copy of the tree out of its peer group. The path is the config's,
 * only shortened. */
int op_isolate(const struct op *op) {
  const char *path = op->v[ISOLATE_PATH].str;
  char mount_point[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof mount_point)
    return fail_with(ENAMETOOLONG, "mount", path);
  memcpy(mount_point, path, length + 1);
  while (mount(NULL, mount_point, NULL, MS_PRIVATE, NULL)) {
    /* EINVAL: not a mount point; try the directory above. */
    if (errno != EINVAL || length <= 1)
      return fail("mount", path);
    while (length > 1 && mount_point[length - 1] != '/')
      length--;
    while (length > 1 && mount_point[length - 1] == '/')
      length--;
    mount_point[length] = 0;
  }
  return 0;
}

/* The root file system is cloned and attached over `/`. This process does not see it there, as its
 * own root is the directory below. So no path is needed that the container's root could reach. We
 * may make the parent mount private: pivot_root(2) demands that, and it hides the attaching from
 * the host. Clones of the host's mounts are made before that. Safe: the path is the config's,
 * opened once; all later steps use the clone's descriptor. */
int op_rootfs(const struct op *op) {
  const char *path = op->v[ROOTFS_PATH].str;
  int cloned_outside = op->v[ROOTFS_SLOT].present;
  int tree = cloned_outside ? take_slot(op->v[ROOTFS_SLOT].slot)
                            : clone_mount(AT_FDCWD, path, AT_RECURSIVE);
  if (tree < 0)
    return cloned_outside ? fail_with(EBADF, "open_tree", path) : fail(clone_call(), path);
  /* The sources of binds are cloned, so the old tree needs its peers no more. A later unmount in
   * it would also unmount in the peers of the mount above. Clones staged in it would lose their
   * peers too: pivotRoot makes the tree a slave when they are gone. */
  if (init.inherited_propagation == MS_SHARED && !is_staging() &&
      mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL))
    return fail("mount", "/");
  if (mount(NULL, "/", NULL, MS_PRIVATE, NULL))
    return fail("mount", "/");
  /* The runtime clones a tree in the host's namespace. If the host's mounts are shared, so is the
   * clone: pivot_root(2) refuses it (EINVAL), and mounts below it would reach the host.
   * hostPropagation has changed a tree that is cloned here. */
  struct mount_attr slave = {.propagation =
                                 init.inherited_propagation == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE};
  int enslave = cloned_outside && sys_mount_setattr(tree, AT_RECURSIVE, &slave);
  if (enslave && errno != ENOSYS)
    return fail("mount_setattr", path);
  /* A slave gets the host's mounts in the root file system, and pivot_root(2) accepts it. */
  int is_slave = init.inherited_propagation == MS_SLAVE;
  struct mount_attr own = {.propagation = is_slave ? MS_SLAVE : MS_PRIVATE};
  int late = sys_mount_setattr(tree, 0, &own);
  if (late && errno != ENOSYS)
    return fail("mount_setattr", path);
  int over CLEANUP_CLOSE = sys_open("/", O_PATH | O_DIRECTORY);
  if (over < 0)
    return fail("open", "/");
  if (move_tree(tree, over))
    return fail(move_call(), path);
  if (identify(tree, &init.rootfs))
    return fail("statx", path);
  init.root = tree;
  /* Before 5.12 only an attached mount can be changed. */
  if (enslave && mount_on(tree, NULL, NULL, (unsigned long)slave.propagation | MS_REC, NULL))
    return fail("mount", path);
  if (late && mount_on(tree, NULL, NULL, (unsigned long)own.propagation, NULL))
    return fail("mount", path);
  return 0;
}

static int reopen_root(void) {
  leave_staging();
  if (chdir("/"))
    return fail("chdir", "/");
  close(init.root);
  init.root = sys_open("/", O_PATH | O_DIRECTORY);
  return init.root < 0 ? fail("open", "/") : 0;
}

/* Detaches the old root, which lies over the new one, and all below it. `covered` roots, which
 * mounts on `/` covered, lie there too, and the uppermost goes first. `old` becomes a slave, so
 * that the host does not see the unmounts; -1: `rootfs` has made all of it a slave. */
static int detach_old_root(int old, unsigned covered) {
  if (old >= 0 && (fchdir(old) || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL)))
    return fail("mount", "the old root");
  for (unsigned n = 0; n <= covered; n++)
    if (umount2(".", MNT_DETACH))
      return fail("umount2", "the old root");
  return 0;
}

/* Enters the root of the mount namespace, where setns(2) leads: 1 when it is the container's, 0
 * for another root, or -1 after fail(). */
static int enter_container(void) {
  struct identity now, root = init.rootfs;
  int own CLEANUP_CLOSE = proc_open_namespace("mnt");
  if (own < 0)
    return fail("open", "/proc/self/ns/mnt");
  leave_staging();
  if (syscall(SYS_setns, own, CLONE_NEWNS)) {
    /* As in leave_chroot. */
    if (errno == EPERM || errno == ENOSYS)
      return chdir("/") ? fail("chdir", "/") : 1;
    return fail("setns", "/proc/self/ns/mnt");
  }
  int at = sys_open("/", O_PATH | O_DIRECTORY);
  if (at < 0)
    return fail("open", "/");
  if (identify(at, &now) || (init.covered_roots && identify(init.root, &root))) {
    close(at);
    return fail("statx", "/");
  }
  if (now.mount != root.mount) {
    close(at);
    return 0;
  }
  close(init.root);
  init.root = at;
  return 1;
}

/* The same, but another root is a failure. 0, or -1 after fail(). */
static int end_in_container(const char *from) {
  int there = enter_container();
  return there > 0 ? 0 : there < 0 ? -1 : fail_with(EXDEV, "setns", from);
}

/* Whether the old root is mounted on the container's root: it had another mount over it that no
 * process had entered. 0, 1 or -1 after fail(). */
static int is_covered(void) {
  struct identity root, top;
  int fd CLEANUP_CLOSE = open_mounted_on(init.root);
  if (fd < 0 || identify(fd, &top) || identify(init.root, &root))
    return fail("openat2", "/");
  return top.mount != root.mount;
}

static int pivot(void) {
  if (fchdir(init.root))
    return fail("fchdir", "/");
  return syscall(SYS_pivot_root, ".", ".") ? fail("pivot_root", NULL) : 0;
}

/* The root of this process is the mount namespace's, and the container's root is below it. Safe:
 * the mounts beside the container's root become slaves after the pivot, when the container's own
 * mounts are no longer below the old root. */
static int pivot_from_namespace_root(void) {
  int old CLEANUP_CLOSE = sys_open("/", O_PATH | O_DIRECTORY);
  if (old < 0)
    return fail("open", "/");
  if (!pivot()) {
    if (detach_old_root(old, 0))
      return -1;
  } else {
    int ramdisk = errno == EINVAL ? is_ramdisk() : -1;
    if (ramdisk < 0 || (ramdisk && cover_ramdisk(1)))
      return -1;
    if (!ramdisk)
      return fail_with(EINVAL, "pivot_root", "chroot");
  }
  return end_in_container("chroot");
}

static int take_ramdisk(void) {
  return cover_ramdisk(init.root_shown) ? -1 : end_in_container("ramdisk");
}

/* Pivots out of a chroot or a ramdisk, where pivot_root(2) returned EINVAL. */
static int pivot_elsewhere(void) {
  int chrooted = leave_chroot();
  if (chrooted)
    return chrooted < 0 ? -1 : pivot_from_namespace_root();
  int ramdisk = is_ramdisk();
  if (ramdisk)
    return ramdisk < 0 ? -1 : take_ramdisk();
  return fail_with(EINVAL, "pivot_root", NULL);
}

/* Mounts from another user namespace are locked. A pivot in a chroot would pass the lock of
 * its mount point on to the container's root, which then could not be moved.
 *
 * Safe: as leave_chroot. No operation between this one and the pivot uses a path of the host. */
int op_leave_chroot(const struct op *op) {
  (void)op;
  return leave_chroot() < 0 ? -1 : 0;
}

/* After pivot_root(".", ".") the old root lies over the new one and needs no directory in the
 * root file system. In a chroot the kernel may replace only the chroot's root by the
 * container's. The host's root would stay above it, where setns(2), and so an exec, leads.
 *
 * Safe: succeeds only if the container's root is the mount namespace's. */
int op_pivot_root(const struct op *op) {
  (void)op;
  int chrooted = init.chrooted ? leave_chroot() : 0;
  if (chrooted)
    return chrooted < 0 ? -1 : pivot_from_namespace_root();
  /* Hooks may have mounted there, and `rootfs` left peers to a tree with staged clones. */
  int peers = init.hooks_ran || is_staging();
  int old CLEANUP_CLOSE = peers ? sys_open("/", O_PATH | O_DIRECTORY) : -1;
  if (peers && old < 0)
    return fail("open", "/");
  if (pivot())
    return errno == EINVAL ? pivot_elsewhere() : -1;
  if (detach_old_root(old, init.covered_roots))
    return -1;
  for (;;) {
    int there = enter_container(), covered = there ? 0 : is_covered();
    if (there || covered < 0)
      return there > 0 ? 0 : -1;
    if (!covered)
      return pivot_from_namespace_root();
    if (fchdir(init.root) || umount2(".", MNT_DETACH))
      return fail("umount2", "the old root");
  }
}

/* Undoes the escapes of mountinfo (proc(5)): a space is \\040. */
static void unescape(char *s) {
  char *to = s;
  for (; *s; s++, to++) {
    if (s[0] == '\\' && s[1] && s[2] && s[3]) {
      *to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
      s += 3;
    } else
      *to = *s;
  }
  *to = 0;
}

/* Hides one mount. The unmount does not reach the host: `rootfs` made the parent mount, whose
 * peers would see it, a slave or private. */
static int hide_mount(const char *target) {
  if (!umount2(target, MNT_DETACH) || errno == ENOENT)
    return 0;
  /* Locked, in a user namespace: it can only be covered. */
  if (errno != EINVAL && errno != EPERM)
    return fail("umount2", target);
  return mount("tmpfs", target, "tmpfs", 0, "") ? fail("mount", target) : 0;
}

/* Reads the number at *line of mountinfo, and advances *line; UINT64_MAX for none. */
static uint64_t next_id(const char **line) {
  uint64_t id;
  size_t length = strcspn(*line, " \n");
  int none = text_number(*line, length, INT32_MAX, &id);
  *line += length + ((*line)[length] == ' ');
  return none ? UINT64_MAX : id;
}

static const char *next_line(const char *line) {
  line += strcspn(line, "\n");
  return line + (*line == '\n');
}

/* Whether a mount of mountinfo is `root` or attached somewhere below it. The order of the lines
 * does not show that: a clone may be older than its parent, and Linux 6.8 sorts by id. */
static int is_below(const char *mountinfo, uint64_t id, uint64_t root) {
  for (unsigned depth = 0; id != root; depth++) {
    uint64_t parent = UINT64_MAX;
    for (const char *line = mountinfo; *line && parent == UINT64_MAX; line = next_line(line))
      if (next_id(&line) == id)
        parent = next_id(&line);
    /* mountinfo does not list the parent of the topmost mount. */
    if (parent == UINT64_MAX || parent == id || depth > PATH_MAX)
      return 0;
    id = parent;
  }
  return 1;
}

/* Removes, or covers, the host's mounts of proc and sysfs. Without a pivot they stay in this mount
 * namespace. A mount that shows all of proc lets a user namespace inside mount another proc
 * without masks. */
static int hide_host_proc(void) {
  int64_t root = mount_id(init.root);
  int fd CLEANUP_CLOSE = proc_open_self("mountinfo", O_RDONLY);
  if (root < 0 || fd < 0)
    return fail("open", "/proc/self/mountinfo");
  /* Read all first: each unmount shifts what is not read yet. */
  size_t size = 0, room = 1 << 20;
  char *all = allocate(room), *target = allocate(room);
  if (!all || !target)
    return fail("mmap", NULL);
  for (ssize_t n; (n = read(fd, all + size, room - 1 - size)) != 0; size += (size_t)n)
    if (n < 0 || size + (size_t)n >= room - 1)
      return fail_with(n < 0 ? errno : E2BIG, "read", "/proc/self/mountinfo");
  all[size] = 0;
  int seen = 0;
  for (const char *line = all, *next; *line; line = next) {
    next = next_line(line);
    const char *type = strstr(line, " - ");
    uint64_t id = next_id(&line);
    seen |= id == (uint64_t)root;
    if (!type || type > next || (strncmp(type + 3, "proc ", 5) && strncmp(type + 3, "sysfs ", 6)) ||
        is_below(all, id, (uint64_t)root))
      continue;
    for (int field = 1; field < 4; field++)
      line += strcspn(line, " ") + 1;
    size_t length = strcspn(line, " ");
    memcpy(target, line, length);
    target[length] = 0;
    unescape(target);
    if (hide_mount(target))
      return -1;
  }
  return seen
             ? 0
             : fail_with(ENOENT, "read", "/proc/self/mountinfo does not show the container's root");
}

/* For roots that pivot_root(2) refuses (an initramfs). The root is over `/` already, or is moved
 * back there if hooks needed it elsewhere. Then this process makes it its root and working
 * directory. Weaker than a pivot, as the old tree stays below. */
int op_move_root(const struct op *op) {
  (void)op;
  if (init.inherited_propagation == MS_SHARED && is_staging())
    return fail_with(ENOSYS, "open_tree", "rootfsPropagation shared, without a pivot");
  int chrooted = leave_chroot();
  if (chrooted)
    return chrooted < 0 ? -1 : pivot_from_namespace_root();
  int ramdisk = init.user_namespace ? 0 : is_ramdisk();
  if (ramdisk)
    return ramdisk < 0 ? -1 : take_ramdisk();
  if (hide_host_proc())
    return -1;
  int over CLEANUP_CLOSE = init.root_shown ? sys_open("/", O_PATH | O_DIRECTORY) : -1;
  if (init.root_shown && (over < 0 || move_tree(init.root, over)))
    return fail(move_call(), "/");
  if (fchdir(init.root))
    return fail("fchdir", "/");
  if (chroot("."))
    return fail("chroot", NULL);
  return reopen_root();
}

/* The root file system as a detached tree, for a container that shares the host's mount namespace.
 * No other process sees its mounts, and it ends with the last process. Safe: the path is the
 * config's, opened once. The clone reaches no other mount: it is private, and the mounts below it
 * are slaves. */
int op_detached_root(const struct op *op) {
  const char *path = op->v[DETACHED_ROOT_PATH].str;
  int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0)
    return fail("open_tree", path);
  init.detached = tree;
  struct stat st;
  if (fstat(tree, &st) || !S_ISDIR(st.st_mode))
    return fail_with(ENOTDIR, "open_tree", path);
  /* Kernels that cannot mount in a detached tree (before 6.15) cannot clone one either. */
  int probe CLEANUP_CLOSE =
      sys_open_tree(tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (probe < 0)
    return errno == EINVAL ? fail_with(ENOSYS, "open_tree", path) : fail("open_tree", path);
  struct mount_attr slave = {.propagation = MS_SLAVE}, private = {.propagation = MS_PRIVATE};
  if (sys_mount_setattr(tree, AT_RECURSIVE, &slave) || sys_mount_setattr(tree, 0, &private))
    return fail("mount_setattr", path);
  init.root = openat(tree, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init.root < 0 ? fail("openat", path) : 0;
}

/* Safe: a process that may chroot again can leave a chroot(2) through an open directory outside.
 * No descriptor of one stays here (CVE-2016-9962), and `..` of the tree's root is that root. */
int op_change_root(const struct op *op) {
  const struct value *slot = &op->v[CHANGE_ROOT_SLOT];
  int directory CLEANUP_CLOSE = take_slot(slot->slot);
  if (slot->present && directory < 0)
    return fail_with(EBADF, "chroot", NULL);
  if (fchdir(slot->present ? directory : init.root))
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
  return set_attributes(init.root, MOUNT_ATTR_RDONLY, 0, 0) ? fail("mount_setattr", "/") : 0;
}
