/* Device nodes below the root. */
#include "../init.h"
#include <sys/sysmacros.h>

/* 12 and 20 bits (MINORBITS). */
enum { MAJOR_MAX = 0xfff, MINOR_MAX = 0xfffff };

static mode_t type_of(const char *type) {
  return *type == 'b' ? S_IFBLK : *type == 'p' ? S_IFIFO : S_IFCHR;
}

static int shows_device(const struct stat *st, mode_t type, dev_t device) {
  return (st->st_mode & S_IFMT) == type && (type == S_IFIFO || st->st_rdev == device);
}

/* Whether fd is the expected device, by number and type, on the descriptor (CVE-2025-31133,
 * CVE-2026-88265). */
static int is_device(int fd, mode_t type, dev_t device) {
  struct stat st;
  return fd >= 0 && fstat(fd, &st) == 0 && shows_device(&st, type, device);
}

/* The host's node of a device: at the same path, or where udev lists it by its number. The
 * descriptor, or -1 after fail(). */
static int host_node(const char *path, mode_t type, dev_t device) {
  int fd = sys_open(path, O_PATH | O_NOFOLLOW);
  int error = fd < 0 ? errno : ENODEV;
  if (is_device(fd, type, device))
    return fd;
  close_cleanup(&fd);
  char listed[64];
  struct text t = TEXT_IN(listed);
  text_add(&t, type == S_IFBLK ? "/dev/block/" : "/dev/char/");
  text_add_number(&t, major(device));
  text_add_char(&t, ':');
  text_add_number(&t, minor(device));
  fd = sys_open(listed, O_PATH);
  if (is_device(fd, type, device))
    return fd;
  close_cleanup(&fd);
  return fail_with(error, error == ENODEV ? "stat" : "open", path);
}

/* As runc: a device is opened, never executed. */
enum { DEVICE_ATTRS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };

/* Binds the host's node, verified to be that device; its name there does not matter. It keeps the
 * host's mode and owner. */
static int bind_device(const char *path, mode_t type, dev_t device) {
  int source CLEANUP_CLOSE = host_node(path, type, device);
  if (source < 0)
    return -1;
  int tree CLEANUP_CLOSE = clone_mount(source, "", AT_EMPTY_PATH);
  if (tree < 0)
    return fail(clone_call(), path);
  /* Before 5.12 only an attached mount can be changed: only a second failure counts. */
  int late = set_attributes(tree, DEVICE_ATTRS, 0, 0), existed;
  char found[PATH_MAX];
  int target CLEANUP_CLOSE = resolve_or_make(path, S_IFREG | 0644, 0, &existed, found);
  if (target < 0)
    return fail("openat2", path);
  struct identity at;
  if (identify(target, &at) || move_tree(tree, target))
    return fail(move_call(), path);
  if (late && set_attributes(tree, DEVICE_ATTRS, 0, 0))
    return fail("mount_setattr", path);
  return found[0] && note_mount(&tree, path, found, at.mount, 0) ? fail(move_call(), path) : 0;
}

/* Safe: the directory is opened once inside the root. The node is made and changed by its name in
 * that descriptor, without following a link (CVE-2026-41579). An existing node is used only if it
 * is the same device. */
int op_device(const struct op *op) {
  const struct value *v = op->v;
  const char *path = v[DEVICE_PATH].str, *name;
  mode_t type = type_of(v[DEVICE_TYPE].str);
  /* mknod(2) would truncate larger numbers, to another device. */
  if (v[DEVICE_MAJOR].num > MAJOR_MAX || v[DEVICE_MINOR].num > MINOR_MAX)
    return fail_with(EINVAL, "mknod", path);
  dev_t device = makedev((unsigned)v[DEVICE_MAJOR].num, (unsigned)v[DEVICE_MINOR].num);
  if (v[DEVICE_BIND].on && type != S_IFIFO)
    return bind_device(path, type, device);
  int dir CLEANUP_CLOSE = resolve_parent(path, &name, NULL);
  if (dir < 0)
    return fail("openat2", path);
  int made = !mknodat(dir, name, type | ((mode_t)v[DEVICE_MODE].num & 07777), device);
  if (!made && errno == EPERM && type != S_IFIFO)
    return bind_device(path, type, device);
  if (!made && errno != EEXIST)
    return fail("mknod", path);
  uint64_t uid = v[DEVICE_UID].num, gid = v[DEVICE_GID].num;
  if (uid > UINT32_MAX || gid > UINT32_MAX)
    return fail_with(EINVAL, "fchownat", path);
  if (made && !uid && !gid)
    return 0;
  int fd CLEANUP_CLOSE = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st))
    return fail("openat", path);
  if (!shows_device(&st, type, device))
    return type == S_IFIFO ? fail_with(EEXIST, "mknod", path) : bind_device(path, type, device);
  if ((uid || gid) && fchownat(fd, "", (uid_t)uid, (gid_t)gid, AT_EMPTY_PATH))
    return fail("fchownat", path);
  return 0;
}
