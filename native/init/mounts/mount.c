/* Mounts of the plan: mountFs, mountBind, mountAttrs.
 *
 * A mount is finished while it is detached, then moved onto a descriptor of its target
 * (CVE-2021-30465, CVE-2025-52881): no path can be swapped in between. */
#include "../init.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

/* Whether `at` is the root in which paths are resolved: only a mount on that very directory covers
 * all that the container would see. */
static int is_root(const struct identity *at) {
  static struct identity root;
  static int known = -1; /* the descriptor that `root` identifies */
  if (known != init.root) {
    if (identify(init.root, &root))
      return 0;
    known = init.root;
  }
  return at->mount == root.mount && at->device == root.device && at->inode == root.inode;
}

/* Safe: fd is our own mount, attached over the root; from now on paths are resolved in it. The
 * root that it covers stays private, so that pivot_root(2) accepts the new one. */
static int become_root(int fd, int64_t covered) {
  int root = sys_duplicate(fd);
  if (root < 0)
    return -1;
  close(init.root);
  init.root = root;
  init.covered_roots++;
  init.covered_root = covered;
  forget_mounts();
  return 0;
}

/* A mount point from resolve: descriptor, path in the plan, path without symlinks. */
struct target {
  int fd;
  const char *named, *found;
};

/* Attaches a finished tree; one on the root becomes the root. The kernel returns EINVAL for a
 * directory on a file and a file on a directory. *at identifies the mount point. */
static int move(int tree, int target, struct identity *at) {
  struct stat st;
  if (identify(target, at))
    return -1;
  int over = is_root(at);
  if (!move_tree(tree, target))
    return over ? become_root(tree, at->mount) : 0;
  int error = errno;
  if (error == EINVAL && !fstat(tree, &st) && S_ISDIR(st.st_mode) != S_ISDIR(at->type))
    error = ENOTDIR;
  errno = error;
  return -1;
}

/* Records the mount, unless it is the root. */
static int note(int *tree, const struct target *target, const struct identity *at,
                unsigned traits) {
  return target->found[0] ? note_mount(tree, target->named, target->found, at->mount, traits) : 0;
}

/* Attaches a tree and sets its propagation, after the `late` one if there is any. Below a detached
 * root a mount cannot be changed after it is attached. */
static int attach(int tree, const struct target *target, unsigned long late,
                  const struct value *propagation, struct identity *at) {
  if (init.detached >= 0 && set_propagation(tree, propagation))
    return fail("mount_setattr", target->named);
  if (move(tree, target->fd, at))
    return fail(move_call(), target->named);
  if (late && mount_on(tree, NULL, NULL, late, NULL))
    return fail("mount", target->named);
  if (init.detached < 0 && set_propagation(tree, propagation))
    return fail("mount_setattr", target->named);
  return 0;
}

int put_mount(int *tree, int target, const char *path, const char *found, unsigned traits) {
  struct identity at;
  return identify(target, &at) || move_tree(*tree, target) ||
                 (found[0] && note_mount(tree, path, found, at.mount, traits))
             ? -1
             : 0;
}

/* proc, sysfs and cgroup must be mounted on directories of the root file system itself. Behind a
 * symlink an attacker would choose what is masked later and where labels are written
 * (CVE-2019-19921, CVE-2023-27561, CVE-2025-54867). */
static uint64_t restrictions_for(const char *type) {
  int special = !strcmp(type, "proc") || !strcmp(type, "sysfs") || !strncmp(type, "cgroup", 6);
  return special ? RESOLVE_NO_SYMLINKS : 0;
}

/* With an unusable workdir the kernel mounts an overlay read-only, without an error. */
static int unwritable(int tree, const struct value *v) {
  const char *option = v[MOUNT_FS_OPTIONS].str;
  int upper = 0;
  if (!is_overlay(v[MOUNT_FS_FSTYPE].str) || v[MOUNT_FS_ATTRS].num & MOUNT_ATTR_RDONLY)
    return 0;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option))
    upper |= !strncmp(option, "upperdir=", 9);
  struct statvfs now;
  return upper && !fstatvfs(tree, &now) && now.f_flag & ST_RDONLY;
}

/* The flag that an option clears. mount(2) clears every flag that it does not get. */
static unsigned long cleared_flag(const char *option) {
  return !strcmp(option, "async")                                     ? MS_SYNCHRONOUS
         : !strcmp(option, "nolazytime") || !strcmp(option, "nomand") ? superblock_flag(option + 2)
                                                                      : 0;
}

/* Copies what target holds into a new file system, and its owner unless an option names one. */
static int begin_with_copy(const struct value *v, int target, int tree) {
  const char *option = v[MOUNT_FS_OPTIONS].str;
  int owner = 1;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option))
    owner &= strncmp(option, "uid=", 4) && strncmp(option, "gid=", 4);
  return v[MOUNT_FS_COPY_UP].on && copy_up(target, tree, owner);
}

static unsigned traits_of(const char *type) {
  return !strcmp(type, "proc") || !strcmp(type, "sysfs") ? KERNEL_NAMES
         : !strcmp(type, "tmpfs")                        ? NEW_FILES
                                                         : 0;
}

/* A sysfs shows a network namespace, and the kernel mounts it only for the user namespace that
 * owns that. The host's sysfs mount replaces it. Safe: it was cloned before anything of the
 * container was mounted, and lacks what the host mounts there later. Neither it nor a mount below
 * it is writable, least of all cgroups (CVE-2023-25809). The target is that of the sysfs, not a
 * symlink. Fails with EPERM, as the sysfs did, where the host has none. */
static int bind_instead(const struct op *op, const struct target *target) {
  const struct value *v = op->v;
  int tree CLEANUP_CLOSE = take_slot(v[MOUNT_FS_INSTEAD].slot);
  struct statfs fs;
  if (fstatfs(tree, &fs) || fs.f_type != SYSFS_MAGIC)
    return fail_with(EPERM, "fsopen", "sysfs");
  /* A read-only mount writes no access times, and their mode is locked here. */
  uint64_t times = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
  struct mount_attr all = {.attr_set = MOUNT_ATTR_RDONLY | (v[MOUNT_FS_ATTRS].num & ~times),
                           .propagation = MS_PRIVATE};
  if (sys_mount_setattr(tree, AT_RECURSIVE, &all))
    return fail("mount_setattr", target->named);
  struct identity at;
  if (attach(tree, target, 0, &v[MOUNT_FS_PROPAGATION], &at))
    return -1;
  if (note(&tree, target, &at, traits_of("sysfs")))
    return fail("move_mount", target->named);
  if (report_bound(op->index))
    _exit(0); /* the runtime is gone */
  return 0;
}

/* Whether the plan has a host mount to replace a file system that was refused. */
static int is_replaced(const struct value *v) {
  const struct value *instead = &v[MOUNT_FS_INSTEAD];
  return errno == EPERM && instead->present && init.slots[instead->slot] >= 0;
}

/* fsconfig(2) takes values of at most 255 bytes, and not all flags. Then mount(2) mounts on the
 * target's descriptor and sets the attributes in the same call. Later steps need the mount: they
 * open what is on that descriptor, never on its path (CVE-2026-115521). refused: the mount API
 * call that was refused, or NULL. */
static int mount_by_path(const struct op *op, const struct target *target, const char *mode,
                         const char *refused) {
  const struct value *v = op->v;
  const char *path = target->named, *option = v[MOUNT_FS_OPTIONS].str;
  unsigned long flags = old_flags(v[MOUNT_FS_ATTRS].num) | v[MOUNT_FS_FLAGS].num;
  char data[4096]; /* the kernel reads one page */
  struct text t = TEXT_IN(data);
  if (mode[0]) {
    text_add(&t, "mode=");
    text_add(&t, mode);
  }
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option)) {
    unsigned long set = superblock_flag(option), clear = cleared_flag(option);
    flags = (flags & ~clear) | set;
    if (set || clear || is_layer(option))
      continue;
    if (t.length)
      text_add_char(&t, ',');
    if (!strncmp(option, "context=", 8)) { /* a label may hold commas */
      text_add(&t, "context=\"");
      text_add(&t, option + 8);
      text_add_char(&t, '"');
    } else
      text_add(&t, option);
  }
  layers_add(&t, &v[MOUNT_FS_OPTIONS]);
  if (t.cut)
    return fail_with(E2BIG, "mount", "the options are longer than a page");
  /* Only a mount that was never attached can be idmapped. */
  if (v[MOUNT_FS_IDMAP].present)
    return refused ? fail_with(ENOSYS, refused, v[MOUNT_FS_FSTYPE].str)
                   : fail_with(EOPNOTSUPP, "mount_setattr", "idmap");
  if (mount_on(target->fd, v[MOUNT_FS_SOURCE].str, v[MOUNT_FS_FSTYPE].str, flags, data))
    return is_replaced(v) ? bind_instead(op, target) : fail("mount", path);
  struct identity at, now;
  int fd CLEANUP_CLOSE = open_mounted_on(target->fd);
  if (fd < 0 || identify(fd, &now) || identify(target->fd, &at))
    return fail("openat2", path);
  if (now.mount == at.mount)
    return fail_with(EAGAIN, "mount", path);
  if (unwritable(fd, v))
    return fail_with(EROFS, "mount", "workdir");
  if (begin_with_copy(v, target->fd, fd))
    return fail("tmpcopyup", path);
  if (is_root(&at) && become_root(fd, at.mount))
    return fail("fcntl", path);
  if (set_propagation(fd, &v[MOUNT_FS_PROPAGATION]))
    return fail("mount_setattr", path);
  return note(&fd, target, &at, traits_of(v[MOUNT_FS_FSTYPE].str)) ? fail("mount", path) : 0;
}

/* A mount API call failed on `what`: uses mount(2) if the call is refused. */
static int not_mounted(const struct op *op, const struct target *target, const char *mode, int fs,
                       const char *call, const char *what) {
  return errno == ENOSYS ? mount_by_path(op, target, mode, call) : fail_context(fs, call, what);
}

int op_mount_fs(const struct op *op) {
  const struct value *v = op->v;
  const char *target_path = v[MOUNT_FS_TARGET].str, *type = v[MOUNT_FS_FSTYPE].str;
  char found[PATH_MAX];
  int existed;
  int target CLEANUP_CLOSE =
      resolve_or_make(target_path, S_IFDIR | 0755, restrictions_for(type), &existed, found);
  if (target < 0)
    return fail("openat2", target_path);
  const struct target where = {target, target_path, found};
  char mode[16];
  struct text mode_text = TEXT_IN(mode);
  struct stat st;
  if (v[MOUNT_FS_INHERIT_MODE].on && existed && fstat(target, &st) == 0)
    text_add_mode(&mode_text, st.st_mode);
  int layers = 0, by_path = v[MOUNT_FS_FLAGS].num != 0;
  const char *option = v[MOUNT_FS_OPTIONS].str;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option)) {
    layers |= is_layer(option);
    by_path |= strlen(option) > 255 && !(is_overlay(type) && is_directory_option(option));
  }
  if (by_path)
    return mount_by_path(op, &where, mode, NULL);

  int fs CLEANUP_CLOSE = sys_fsopen(type);
  if (fs < 0)
    return is_replaced(v) ? bind_instead(op, &where)
                          : not_mounted(op, &where, mode, fs, "fsopen", type);
  const char *source = v[MOUNT_FS_SOURCE].str;
  if (*source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source))
    return not_mounted(op, &where, mode, fs, "fsconfig", source);
  if (mode[0] && sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode))
    return not_mounted(op, &where, mode, fs, "fsconfig", "mode");
  option = v[MOUNT_FS_OPTIONS].str;
  for (uint64_t i = 0; i < v[MOUNT_FS_OPTIONS].num; i++, option = next_string(option))
    if (strlen(option) > 255 ? set_directory(fs, option) : set_option(fs, option))
      /* Linux before 6.7 has no lowerdir+, before 6.13 no descriptors as layers, before 6.5 no
       * descriptors at all. */
      return (layers || strlen(option) > 255) && (errno == EINVAL || errno == EOPNOTSUPP)
                 ? mount_by_path(op, &where, mode, NULL)
                 : not_mounted(op, &where, mode, fs, "fsconfig", option);
  if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL))
    /* Before 6.5 overlay takes any option and refuses it here. */
    return layers && errno == EINVAL ? mount_by_path(op, &where, mode, NULL)
                                     : not_mounted(op, &where, mode, fs, "fsconfig", type);
  int tree CLEANUP_CLOSE = sys_fsmount(fs, (unsigned)v[MOUNT_FS_ATTRS].num);
  if (tree < 0)
    return not_mounted(op, &where, mode, fs, "fsmount", type);
  if (unwritable(tree, v))
    return fail_with(EROFS, "fsmount", "workdir");
  if (begin_with_copy(v, target, tree))
    return fail("tmpcopyup", target_path);
  const struct value *idmap = &v[MOUNT_FS_IDMAP];
  if (idmap->present && map_ids(tree, init.slots[idmap->slot], 0))
    return fail("mount_setattr", "idmap");
  struct identity at;
  if (attach(tree, &where, 0, &v[MOUNT_FS_PROPAGATION], &at))
    return -1;
  return note(&tree, &where, &at, traits_of(type)) ? fail(move_call(), target_path) : 0;
}

/* Flags that the host locked and that stay: of the mount, and of all mounts below it. */
struct locked_flags {
  uint64_t plain, recursive;
};

static int set_bind_attributes(int tree, const struct value *v, struct locked_flags *locked_flags) {
  *locked_flags = (struct locked_flags){0};
  return set_unlocked_attributes(tree, v[MOUNT_BIND_SET_ATTRS].num, v[MOUNT_BIND_CLEAR_ATTRS].num,
                                 0, &locked_flags->plain) ||
         set_unlocked_attributes(tree, v[MOUNT_BIND_SET_ATTRS_REC].num,
                                 v[MOUNT_BIND_CLEAR_ATTRS_REC].num, 1, &locked_flags->recursive);
}

/* An option without effect is a warning: podman and containerd write `rw` unasked. */
static int warn_of_locked_flags(const struct op *op, const struct locked_flags *locked_flags) {
  if ((locked_flags->plain || locked_flags->recursive) &&
      report_locked_flags(op->index, locked_flags->plain, locked_flags->recursive))
    _exit(0); /* the runtime is gone */
  return 0;
}

static int clone_source(const char *source, int recursive, int nofollow) {
  return clone_mount(AT_FDCWD, source,
                     (unsigned)(nofollow ? AT_SYMLINK_NOFOLLOW : 0) |
                         (unsigned)(recursive ? AT_RECURSIVE : 0));
}

/* The root is attached over `/` later. A recursive clone of `/` would then include it, and a path
 * that passes `/` by `..`, as many symlinks do, would continue in the image. Safe: the path is the
 * config's, resolved once, among the host's mounts alone. */
int op_clone_source(const struct op *op) {
  const struct value *v = op->v;
  const char *source = v[CLONE_SOURCE_SOURCE].str;
  int recursive = v[CLONE_SOURCE_RECURSIVE].on, nofollow = v[CLONE_SOURCE_NOFOLLOW].on;
  int *slot = &init.slots[v[CLONE_SOURCE_SLOT].slot];
  if (*slot >= 0)
    return fail_with(EBADF, "open_tree", source);
  int tree = clone_source(source, recursive, nofollow);
  if (tree < 0 && errno == EMFILE && !raise_descriptor_limit())
    tree = clone_source(source, recursive, nofollow);
  if (tree < 0 && !(errno == ENOENT && v[CLONE_SOURCE_OPTIONAL].on))
    return fail(clone_call(), source);
  *slot = tree;
  return 0;
}

/* Safe: the path is resolved in the container's root, below the mounts of the plan, as a target
 * is. So a symlink of the image leads to another place of the container at most. */
static int clone_inside(const struct value *v) {
  const char *source = v[MOUNT_BIND_SOURCE].str;
  char found[PATH_MAX];
  int nofollow = v[MOUNT_BIND_SOURCE_NOFOLLOW].on | v[MOUNT_BIND_COPY_SYMLINK].on;
  int at CLEANUP_CLOSE = resolve(v[MOUNT_BIND_INSIDE].str, nofollow ? O_NOFOLLOW : 0, 0, found);
  if (at < 0)
    return fail(clone_call(), source);
  int recursive = v[MOUNT_BIND_RECURSIVE].on;
  int tree = clone_mount(at, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
  if (tree < 0)
    return fail(clone_call(), source);
  const struct value *idmap = &v[MOUNT_BIND_IDMAP];
  if (!idmap->present || !map_ids(tree, init.slots[idmap->slot], v[MOUNT_BIND_RECURSIVE_IDMAP].on))
    return tree;
  fail("mount_setattr", "idmap");
  close(tree);
  return -1;
}

/* The tree to bind: the one in the slot, or a clone made here, such as of a source that was
 * missing when the others were cloned. -1 after fail(). late: a propagation that only an attached
 * mount can get, before Linux 5.12. */
static int bind_source(const struct value *v, unsigned long *late) {
  const char *source = v[MOUNT_BIND_SOURCE].str;
  const struct value *slot = &v[MOUNT_BIND_SLOT];
  if (v[MOUNT_BIND_INSIDE].present)
    return clone_inside(v);
  int ours = slot->present && (uint32_t)slot->slot >= init.runtime_slots; /* from cloneSource */
  int tree = take_slot(slot->slot);
  if (tree < 0) {
    tree = clone_source(source, v[MOUNT_BIND_RECURSIVE].on,
                        v[MOUNT_BIND_SOURCE_NOFOLLOW].on | v[MOUNT_BIND_COPY_SYMLINK].on);
    return tree < 0 ? fail(clone_call(), source) : tree;
  }
  if (ours) /* hostPropagation, which ran before, has set its propagation */
    return tree;
  /* It was cloned among the host's mounts and is a peer of the shared ones. It gets the
   * propagation that hostPropagation gave to inherited mounts; in a user namespace, as those, at
   * most events from the host. */
  unsigned long kind = init.inherited_propagation;
  struct mount_attr a = {.propagation = kind == MS_SHARED && init.user_namespace ? MS_SLAVE : kind};
  if (a.propagation != MS_SHARED && sys_mount_setattr(tree, AT_RECURSIVE, &a)) {
    if (errno == ENOSYS) {
      *late = a.propagation | MS_REC;
      return tree;
    }
    fail("mount_setattr", source);
    close(tree);
    return -1;
  }
  return tree;
}

/* copy-symlink: creates the target with the content of the source. */
static int copy_symlink(int link, const char *path) {
  char content[PATH_MAX];
  ssize_t n = readlinkat(link, "", content, sizeof content - 1);
  if (n < 0)
    return fail("readlinkat", path);
  content[n] = 0;
  return make_symlink(content, path, EXISTING_FAILS);
}

/* Safe: the source is a host path of the config, opened before the pivot. The mount is a clone of
 * it, with its attributes set before anyone in the container can reach it. Attributes that the
 * host locked stay. A symlink is mounted on, or copied, as a symlink, by a descriptor or by its
 * name in a directory's descriptor. */
int op_mount_bind(const struct op *op) {
  const struct value *v = op->v;
  const char *source = v[MOUNT_BIND_SOURCE].str, *target_path = v[MOUNT_BIND_TARGET].str;
  unsigned long propagation = 0;
  int tree CLEANUP_CLOSE = bind_source(v, &propagation);
  struct stat st;
  if (tree < 0)
    return -1;
  if (fstat(tree, &st))
    return fail(clone_call(), source);
  if (v[MOUNT_BIND_COPY_SYMLINK].on && S_ISLNK(st.st_mode))
    return copy_symlink(tree, target_path);
  /* In the host's mount namespace hostPropagation is not used: a clone is the host's peer. */
  struct mount_attr slave = {.propagation = MS_SLAVE};
  if (init.detached >= 0 && sys_mount_setattr(tree, AT_RECURSIVE, &slave))
    return fail("mount_setattr", source);
  /* Before 5.12 only an attached mount can be changed: only a second failure counts. */
  struct locked_flags locked_flags;
  int late = set_bind_attributes(tree, v, &locked_flags), existed;
  char found[PATH_MAX];
  int target CLEANUP_CLOSE =
      v[MOUNT_BIND_TARGET_NOFOLLOW].on ? resolve(target_path, O_NOFOLLOW, 0, found) : -1;
  if (target < 0)
    target = resolve_or_make(target_path, S_ISDIR(st.st_mode) ? S_IFDIR | 0755 : S_IFREG | 0644, 0,
                             &existed, found);
  if (target < 0)
    return fail("openat2", target_path);
  const struct target where = {target, target_path, found};
  struct identity at = {0};
  if (attach(tree, &where, propagation, &v[MOUNT_BIND_PROPAGATION], &at))
    return -1;
  if (late && set_bind_attributes(tree, v, &locked_flags))
    return fail("mount_setattr", target_path);
  if (note(&tree, &where, &at, 0))
    return fail(move_call(), target_path);
  return warn_of_locked_flags(op, &locked_flags);
}

/* Safe: acts on the mount that the resolver found inside the root. */
int op_mount_attrs(const struct op *op) {
  const char *path = op->v[MOUNT_ATTRS_TARGET].str;
  char found[PATH_MAX];
  int fd CLEANUP_CLOSE = resolve(path, 0, 0, found);
  if (fd < 0)
    return fail("openat2", path);
#ifdef RUNT_WEAK_REMOUNT
  /* Only for the runt-init that test/security attacks: names the descriptor in the container's
   * /proc. */
  char name[64];
  struct text t = TEXT_IN(name);
  text_add(&t, "/proc/self/fd/");
  text_add_number(&t, (uint64_t)fd);
  return mount(NULL, name, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) ? fail("mount", path) : 0;
#endif
  int recursive = op->v[MOUNT_ATTRS_RECURSIVE].on, covering = init.detached >= 0;
  /* Below a detached root a clone with these attributes covers the mount. */
  int clone CLEANUP_CLOSE = covering ? clone_mount(fd, "", AT_EMPTY_PATH | AT_RECURSIVE) : -1;
  if (covering && clone < 0)
    return fail(clone_call(), path);
  struct locked_flags locked_flags = {0};
  if (set_unlocked_attributes(covering ? clone : fd, op->v[MOUNT_ATTRS_SET_ATTRS].num,
                              op->v[MOUNT_ATTRS_CLEAR_ATTRS].num, recursive,
                              recursive ? &locked_flags.recursive : &locked_flags.plain))
    return fail("mount_setattr", path);
  if (covering && put_mount(&clone, fd, path, found, REPEATS))
    return fail(move_call(), path);
  return warn_of_locked_flags(op, &locked_flags);
}
