/* Mounts in the runtime's own mount namespace: root file systems that an engine asks a shim for. */
#include "core.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Constants and structures of linux/mount.h, which cannot be included beside sys/mount.h. */
enum {
  SET_FLAG = 0,
  SET_STRING = 1,
  CMD_CREATE = 6,
  CLOEXEC = 1, /* FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC, OPEN_TREE_CLONE */
  MOVE_FROM_EMPTY = 4,
  RECURSIVE = 0x8000, /* AT_RECURSIVE */
};
struct attributes {
  uint64_t set, clear, propagation, userns;
};

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static long set_string(int fs, const char *key, const char *value) {
  return syscall(SYS_fsconfig, fs, SET_STRING, key, value, 0);
}

/* `lowerdir=a:b:c` goes layer by layer (Linux 6.5): a value of fsconfig has 255 bytes at most.
 * Where the kernel does not know that, or a path has an escaped colon, as one. */
static long set_layers(int fs, const char *layers) {
  char path[PATH_MAX];
  if (strlen(layers) < 256 || strchr(layers, '\\'))
    return set_string(fs, "lowerdir", layers);
  for (const char *at = layers; *at;) {
    size_t n = strcspn(at, ":");
    if (n >= sizeof path) {
      errno = ENAMETOOLONG;
      return -1;
    }
    memcpy(path, at, n);
    path[n] = 0;
    if (set_string(fs, "lowerdir+", path) < 0)
      return -1;
    at += n + (at[n] == ':');
  }
  return 0;
}

static long set_option(int fs, const char *option) {
  const char *equals = strchr(option, '=');
  char key[64];
  if (!equals)
    return syscall(SYS_fsconfig, fs, SET_FLAG, option, NULL, 0);
  size_t n = (size_t)(equals - option);
  if (n >= sizeof key) {
    errno = EINVAL;
    return -1;
  }
  memcpy(key, option, n);
  key[n] = 0;
  if (strcmp(key, "lowerdir") == 0)
    return set_layers(fs, equals + 1);
  return set_string(fs, key, equals + 1);
}

static int32_t place(int tree, const char *target) {
  return result(syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_FROM_EMPTY));
}

int32_t runt_mountFs(const char *fstype, const char *source, const uint8_t *options,
                     uint32_t options_len, int32_t attrs, const char *target) {
  if (options_len > 0 && options[options_len - 1] != 0)
    return -EINVAL;
  AUTO_CLOSE int fs = (int)syscall(SYS_fsopen, fstype, CLOEXEC);
  if (fs < 0 || set_string(fs, "source", source) < 0)
    return -errno;
  const char *list = (const char *)options;
  for (uint32_t at = 0; at < options_len; at += (uint32_t)strlen(list + at) + 1)
    if (set_option(fs, list + at) < 0)
      return -errno;
  if (syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0) < 0)
    return -errno;
  AUTO_CLOSE int tree = (int)syscall(SYS_fsmount, fs, CLOEXEC, (unsigned)attrs);
  return tree < 0 ? -errno : place(tree, target);
}

int32_t runt_mountBind(const char *source, int32_t recursive, int32_t attrs, const char *target) {
  unsigned all = recursive ? RECURSIVE : 0;
  AUTO_CLOSE int tree =
      (int)syscall(SYS_open_tree, AT_FDCWD, source, CLOEXEC | (unsigned)O_CLOEXEC | all);
  if (tree < 0)
    return -errno;
  struct attributes a = {.set = (uint32_t)attrs};
  if (attrs && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | all, &a, sizeof a) < 0)
    return -errno;
  return place(tree, target);
}

int32_t runt_attachTree(int32_t tree, int32_t attrs, const char *target) {
  struct attributes a = {.set = (uint32_t)attrs};
  if (attrs && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof a) < 0)
    return -errno;
  return place(tree, target);
}

int32_t runt_unmount(const char *path) {
  return result(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
}
