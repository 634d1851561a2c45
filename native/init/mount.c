/* mountFs, mountBind, mountAttrs: a mount is finished while it is attached nowhere, then moved onto
 * a descriptor of its target (CVE-2021-30465, CVE-2025-52881): there is no moment at which a path
 * could be swapped. */
#include "init.h"
#include <sys/mount.h>
#include <sys/statvfs.h>

/* Whether fd names the root that paths are resolved in: only a mount on that very directory covers
 * all that the container would see. */
static int is_root(int fd) {
  struct stat a, b;
  return !fstat(fd, &a) && !fstat(init.root, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
         mount_id(fd) == mount_id(init.root);
}

/* Safe: fd is a mount of ours, attached over the root; from here on paths are resolved in it. The
 * root that it covers stays private, so that pivot_root(2) takes the new one. */
static int become_root(int fd) {
  int root = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (root < 0)
    return -1;
  close(init.root);
  init.root = root;
  init.covered_roots++;
  return 0;
}

/* Attaches a finished tree on target; on the root itself it is the root from then on. */
static int attach(int tree, int target) {
  int over = is_root(target);
  return sys_move_mount(tree, target) || (over && become_root(tree)) ? -1 : 0;
}

/* What the kernel says about a failed file system context: lines "e text". */
static int fail_context(int fs, const char *syscall, const char *what) {
  int saved = errno;
  char text[512];
  ssize_t n = read(fs, text, sizeof text - 1);
  if (n > 2) {
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return fail_with(saved, syscall, text + 2);
  }
  return fail_with(saved, syscall, what);
}

/* proc, sysfs and cgroup must be mounted on directories of the root file system itself: behind a
 * symlink an attacker would choose what is masked later and where labels are written
 * (CVE-2019-19921, CVE-2023-27561, CVE-2025-54867). */
static uint64_t restrictions_for(const char *type) {
  int special = !strcmp(type, "proc") || !strcmp(type, "sysfs") || !strncmp(type, "cgroup", 6);
  return special ? RESOLVE_NO_SYMLINKS_ : 0;
}

/* An overlay whose workdir cannot be used is mounted read-only, without an error. */
static int unwritable(int tree, const struct value *v) {
  const char *option = v[MOUNT_FS_OPTIONS].str;
  int upper = 0;
  if (strcmp(v[MOUNT_FS_FSTYPE].str, "overlay") || v[MOUNT_FS_ATTRS].num & MOUNT_ATTR_RDONLY_)
    return 0;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option))
    upper |= !strncmp(option, "upperdir=", 9);
  struct statvfs now;
  return upper && !fstatvfs(tree, &now) && now.f_flag & ST_RDONLY;
}

/* fsconfig takes values of at most 255 bytes: such a file system is mounted by mount(2), on the
 * target's descriptor, and gets its attributes in the same call. Its propagation needs the mount,
 * which only the target's path gives: what is found there must be another file system than before
 * (CVE-2026-115521). */
static int mount_by_path(const struct op *op, int target, const char *mode) {
  const struct value *v = op->v;
  const char *path = v[MOUNT_FS_TARGET].str, *option = v[MOUNT_FS_OPTIONS].str;
  char data[4096]; /* the kernel reads one page */
  struct text t = TEXT_IN(data);
  if (mode[0]) {
    text_add(&t, "mode=");
    text_add(&t, mode);
  }
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option)) {
    if (is_layer(option))
      continue;
    if (t.length)
      text_add_char(&t, ',');
    text_add(&t, option);
  }
  layers_add(&t, &v[MOUNT_FS_OPTIONS]);
  if (t.cut)
    return fail_with(E2BIG, "mount", "the options are longer than a page");
  if (mount_on(target, v[MOUNT_FS_SOURCE].str, v[MOUNT_FS_FSTYPE].str,
               MS_SILENT | old_flags(v[MOUNT_FS_ATTRS].num), data))
    return fail("mount", path);
  int over = is_root(target), overlay = !strcmp(v[MOUNT_FS_FSTYPE].str, "overlay");
  if (!over && !overlay && !v[MOUNT_FS_PROPAGATION].num)
    return 0;
  struct stat before, now;
  /* `..` of a root is what is mounted on it. */
  int fd CLEANUP_CLOSE =
      over ? openat(init.root, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : resolve(path, 0, 0);
  if (fd < 0 || fstat(fd, &now) || fstat(target, &before))
    return fail("openat2", path);
  if (now.st_dev == before.st_dev)
    return fail_with(EAGAIN, "mount", path);
  if (unwritable(fd, v))
    return fail_with(EROFS, "mount", "workdir");
  if (over && become_root(fd))
    return fail("fcntl", path);
  return set_propagation(fd, &v[MOUNT_FS_PROPAGATION]) ? fail("mount_setattr", path) : 0;
}

static int set_option(int fs, const char *option) {
  const char *equals = strchr(option, '=');
  if (!equals)
    return sys_fsconfig(fs, FSCONFIG_SET_FLAG_, option, NULL);
  char key[256];
  size_t n = (size_t)(equals - option);
  if (n >= sizeof key) {
    errno = EINVAL;
    return -1;
  }
  memcpy(key, option, n);
  key[n] = 0;
  return sys_fsconfig(fs, FSCONFIG_SET_STRING_, key, equals + 1);
}

int op_mount_fs(const struct op *op) {
  const struct value *v = op->v;
  const char *target_path = v[MOUNT_FS_TARGET].str, *type = v[MOUNT_FS_FSTYPE].str;
  int existed;
  int target CLEANUP_CLOSE =
      resolve_or_make(target_path, S_IFDIR | 0755, restrictions_for(type), &existed);
  if (target < 0)
    return fail("openat2", target_path);
  char mode[16];
  struct text mode_text = TEXT_IN(mode);
  struct stat st;
  if (v[MOUNT_FS_INHERIT_MODE].num && existed && fstat(target, &st) == 0)
    text_add_mode(&mode_text, st.st_mode);
  int layers = 0, longest = 0;
  const char *option = v[MOUNT_FS_OPTIONS].str;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option)) {
    layers |= is_layer(option);
    longest |= strlen(option) > 255;
  }
  if (longest)
    return mount_by_path(op, target, mode);

  int fs CLEANUP_CLOSE = sys_fsopen(type);
  if (fs < 0)
    return fail("fsopen", type);
  const char *source = v[MOUNT_FS_SOURCE].str;
  if (*source && sys_fsconfig(fs, FSCONFIG_SET_STRING_, "source", source))
    return fail_context(fs, "fsconfig", source);
  if (mode[0] && sys_fsconfig(fs, FSCONFIG_SET_STRING_, "mode", mode))
    return fail_context(fs, "fsconfig", "mode");
  option = v[MOUNT_FS_OPTIONS].str;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option))
    if (set_option(fs, option))
      /* Linux before 6.7 has no lowerdir+. */
      return layers && errno == EINVAL ? mount_by_path(op, target, mode)
                                       : fail_context(fs, "fsconfig", option);
  if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE_, NULL, NULL))
    /* Before 6.5 overlay takes any option and refuses it here. */
    return layers && errno == EINVAL ? mount_by_path(op, target, mode)
                                     : fail_context(fs, "fsconfig", type);
  int tree CLEANUP_CLOSE = sys_fsmount(fs, (unsigned)v[MOUNT_FS_ATTRS].num);
  if (tree < 0)
    return fail_context(fs, "fsmount", type);
  if (unwritable(tree, v))
    return fail_with(EROFS, "fsmount", "workdir");
  if (attach(tree, target))
    return fail("move_mount", target_path);
  if (set_propagation(tree, &v[MOUNT_FS_PROPAGATION]))
    return fail("mount_setattr", target_path);
  return 0;
}

static int set_bind_attributes(int tree, const struct value *v) {
  return set_attributes(tree, v[MOUNT_BIND_SET_ATTRS].num, v[MOUNT_BIND_CLEAR_ATTRS].num, 0) ||
         set_attributes(tree, v[MOUNT_BIND_SET_ATTRS_REC].num, v[MOUNT_BIND_CLEAR_ATTRS_REC].num,
                        1);
}

/* Safe: the source is a path of the host that the config names, opened before the pivot; what is
 * mounted is a clone of it, with its attributes set before anyone in the container can reach it. In
 * a user namespace attributes that the host locked are kept, as only what the config names is
 * cleared. */
int op_mount_bind(const struct op *op) {
  const struct value *v = op->v;
  const char *source = v[MOUNT_BIND_SOURCE].str, *target_path = v[MOUNT_BIND_TARGET].str;
  int64_t slot = (int64_t)v[MOUNT_BIND_SLOT].num;
  int recursive = v[MOUNT_BIND_RECURSIVE].num != 0;
  int tree CLEANUP_CLOSE = -1;
  if (slot >= 0) {
    if (slot >= (int64_t)init.slot_count || init.slots[slot] < 0)
      return fail_with(EBADF, "open_tree", source);
    tree = init.slots[slot];
    init.slots[slot] = -1;
  } else
    tree = sys_open_tree(AT_FDCWD, source,
                         OPEN_TREE_CLONE_ | OPEN_TREE_CLOEXEC_ |
                             (unsigned)(recursive ? AT_RECURSIVE_ : 0));
  struct stat st;
  if (tree < 0 || fstat(tree, &st))
    return fail("open_tree", source);
  /* Before 5.12 only an attached mount can be changed: a failure counts when it comes again. */
  int late = set_bind_attributes(tree, v);
  int existed;
  int target CLEANUP_CLOSE = resolve_or_make(
      target_path, S_ISDIR(st.st_mode) ? S_IFDIR | 0755 : S_IFREG | 0644, 0, &existed);
  if (target < 0)
    return fail("openat2", target_path);
  if (attach(tree, target))
    return fail("move_mount", target_path);
  if ((late && set_bind_attributes(tree, v)) || set_propagation(tree, &v[MOUNT_BIND_PROPAGATION]))
    return fail("mount_setattr", target_path);
  return 0;
}

/* Safe: acts on the mount that the resolver found inside the root. */
int op_mount_attrs(const struct op *op) {
  const char *path = op->v[MOUNT_ATTRS_TARGET].str;
  int fd CLEANUP_CLOSE = resolve(path, 0, 0);
  if (fd < 0)
    return fail("openat2", path);
  if (set_attributes(fd, op->v[MOUNT_ATTRS_SET_ATTRS].num, op->v[MOUNT_ATTRS_CLEAR_ATTRS].num,
                     op->v[MOUNT_ATTRS_RECURSIVE].num != 0))
    return fail("mount_setattr", path);
  return 0;
}
