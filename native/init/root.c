/* The mount tree around the container: what is inherited, the root file system as a mount, the
 * switch into it. */
#include "init.h"
#include <sys/mount.h>

/* Safe: acts on our copy of the mount tree. After it nothing that is mounted here reaches the host,
 * unless the config asks for shared propagation. */
int op_host_propagation(const struct op *op) {
  unsigned long flags = op->v[HOST_PROPAGATION_FLAGS].num;
  init.inherited_propagation = flags & ~(unsigned long)MS_REC;
  return mount(NULL, "/", NULL, flags, NULL) ? fail("mount", "/") : 0;
}

/* Safe: a mount of our copy of the tree gets fewer peers. The path is the config's, and is only
 * shortened. */
int op_isolate(const struct op *op) {
  const char *path = op->v[ISOLATE_PATH].str;
  char mount_point[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof mount_point)
    return fail_with(ENAMETOOLONG, "mount", path);
  memcpy(mount_point, path, length + 1);
  while (mount(NULL, mount_point, NULL, MS_PRIVATE, NULL)) {
    /* EINVAL: not a mount point; the one above is tried. */
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

/* The root file system is cloned and attached over `/`, where this process, whose root is the
 * directory below, does not see it: so it needs no path that the container's root could reach, and
 * its parent mount is one whose propagation we may make private (pivot_root(2) demands that, and it
 * keeps the attaching itself from the host). Clones of the host's mounts are made before that.
 * Safe: the path is the config's, opened once; all that follows is done on the clone's descriptor.
 */
int op_rootfs(const struct op *op) {
  const char *path = op->v[ROOTFS_PATH].str;
  int64_t slot = (int64_t)op->v[ROOTFS_SLOT].num;
  if (slot >= (int64_t)init.slot_count || (slot >= 0 && init.slots[slot] < 0))
    return fail_with(EBADF, "open_tree", path);
  int tree = slot >= 0 ? init.slots[slot]
                       : sys_open_tree(AT_FDCWD, path,
                                       OPEN_TREE_CLONE_ | OPEN_TREE_CLOEXEC_ | AT_RECURSIVE_);
  if (tree < 0)
    return fail("open_tree", path);
  if (slot >= 0)
    init.slots[slot] = -1;
  /* The sources of binds are cloned: the old tree needs its peers no more, and what is unmounted in
   * it later would be unmounted in the peers of the mount above it too. */
  if (init.inherited_propagation == MS_SHARED && mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL))
    return fail("mount", "/");
  if (mount(NULL, "/", NULL, MS_PRIVATE, NULL))
    return fail("mount", "/");
  /* A tree that the runtime cloned for a user namespace was cloned in the host's namespace: where
   * the host's mounts are shared, so is it, and pivot_root(2) refuses it (EINVAL); mounts below it
   * would reach the host. One that is cloned here is what hostPropagation made of it. */
  struct mount_attributes slave = {.propagation = MS_SLAVE};
  int enslave = slot >= 0 && sys_mount_setattr(tree, AT_RECURSIVE_, &slave);
  if (enslave && errno != ENOSYS)
    return fail("mount_setattr", path);
  struct mount_attributes private = {.propagation = MS_PRIVATE};
  int late = sys_mount_setattr(tree, 0, &private);
  if (late && errno != ENOSYS)
    return fail("mount_setattr", path);
  int over CLEANUP_CLOSE = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (over < 0)
    return fail("open", "/");
  if (sys_move_mount(tree, over))
    return fail("move_mount", path);
  if (identify(tree, &init.rootfs))
    return fail("statx", path);
  init.root = tree;
  /* Before 5.12 only an attached mount can be changed. */
  if (enslave && mount_on(tree, NULL, NULL, MS_SLAVE | MS_REC, NULL))
    return fail("mount", path);
  if (late && mount_on(tree, NULL, NULL, MS_PRIVATE, NULL))
    return fail("mount", path);
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
  /* Roots that a mount on `/` covered lie over the old one, and the uppermost goes first. */
  for (unsigned n = 0; n <= init.covered_roots; n++)
    if (umount2(".", MNT_DETACH))
      return fail("umount2", "the old root");
  return reopen_root();
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

/* Hides one mount. Its unmounting does not reach the host: `rootfs` made the mount above it, whose
 * peers would see it, a slave or private. */
static int hide_mount(const char *target) {
  if (!umount2(target, MNT_DETACH) || errno == ENOENT)
    return 0;
  /* Locked, in a user namespace: it can only be covered. */
  if (errno != EINVAL && errno != EPERM)
    return fail("umount2", target);
  return mount("tmpfs", target, "tmpfs", 0, "") ? fail("mount", target) : 0;
}

/* The number at *line of mountinfo, which is the rest of the line then; UINT64_MAX for none. */
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
 * does not tell: a clone may be older than what it is attached to, and Linux 6.8 sorts by id. */
static int is_below(const char *mountinfo, uint64_t id, uint64_t root) {
  for (unsigned depth = 0; id != root; depth++) {
    uint64_t parent = UINT64_MAX;
    for (const char *line = mountinfo; *line && parent == UINT64_MAX; line = next_line(line))
      if (next_id(&line) == id)
        parent = next_id(&line);
    /* The parent of the topmost mount is not shown. */
    if (parent == UINT64_MAX || parent == id || depth > PATH_MAX)
      return 0;
    id = parent;
  }
  return 1;
}

/* Removes, or covers, the mounts of proc and sysfs that the host has: without a pivot they stay in
 * this mount namespace, and a mount that shows all of proc lets a user namespace inside mount
 * another one that is not masked. */
static int hide_host_proc(void) {
  int64_t root = mount_id(init.root);
  int fd CLEANUP_CLOSE = proc_open_self("mountinfo", O_RDONLY);
  if (root < 0 || fd < 0)
    return fail("open", "/proc/self/mountinfo");
  /* All is read first: removing a mount moves what is not read yet. */
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

/* For roots that pivot_root(2) refuses (an initramfs). The root is attached over `/` already, or is
 * moved back there when hooks wanted it elsewhere: the working directory and the root of the
 * process change into it. Weaker than a pivot, as the old tree stays below. */
int op_move_root(const struct op *op) {
  (void)op;
  if (hide_host_proc())
    return -1;
  int over CLEANUP_CLOSE = init.root_shown ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
  if (init.root_shown && (over < 0 || sys_move_mount(init.root, over)))
    return fail("move_mount", "/");
  if (fchdir(init.root))
    return fail("fchdir", "/");
  if (chroot("."))
    return fail("chroot", NULL);
  return reopen_root();
}

/* The root file system as a tree that is attached nowhere, for a container that shares the host's
 * mount namespace: what is mounted in it no one else sees, and it is gone with the last process.
 * Safe: the path is the config's, opened once; the clone reaches no other mount, as it is private
 * and what is below it a slave. */
int op_detached_root(const struct op *op) {
  const char *path = op->v[DETACHED_ROOT_PATH].str;
  int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE_ | OPEN_TREE_CLOEXEC_ | AT_RECURSIVE_);
  if (tree < 0)
    return fail("open_tree", path);
  init.detached = tree;
  struct stat st;
  if (fstat(tree, &st) || !S_ISDIR(st.st_mode))
    return fail_with(ENOTDIR, "open_tree", path);
  /* Kernels that cannot mount in a detached tree (before 6.15) cannot clone one either. */
  int probe CLEANUP_CLOSE =
      sys_open_tree(tree, "", OPEN_TREE_CLONE_ | OPEN_TREE_CLOEXEC_ | AT_EMPTY_PATH_);
  if (probe < 0)
    return errno == EINVAL ? fail_with(ENOSYS, "open_tree", path) : fail("open_tree", path);
  struct mount_attributes slave = {.propagation = MS_SLAVE}, private = {.propagation = MS_PRIVATE};
  if (sys_mount_setattr(tree, AT_RECURSIVE_, &slave) || sys_mount_setattr(tree, 0, &private))
    return fail("mount_setattr", path);
  init.root = openat(tree, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init.root < 0 ? fail("openat", path) : 0;
}

/* Safe: chroot(2) alone can be left by who may chroot again with a directory outside open; here no
 * descriptor of one stays (CVE-2016-9962), and `..` of the tree's root is that root. */
int op_change_root(const struct op *op) {
  int64_t slot = (int64_t)op->v[CHANGE_ROOT_SLOT].num;
  if (slot >= (int64_t)init.slot_count || (slot >= 0 && init.slots[slot] < 0))
    return fail_with(EBADF, "chroot", NULL);
  if (fchdir(slot >= 0 ? init.slots[slot] : init.root))
    return fail("fchdir", "/");
  if (chroot("."))
    return fail("chroot", NULL);
  if (slot >= 0) {
    close(init.slots[slot]);
    init.slots[slot] = -1;
  }
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
