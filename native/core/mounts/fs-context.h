/* A file system that is being made by the mount API (fsopen(2)). */
#ifndef RUNT_FS_CONTEXT_H
#define RUNT_FS_CONTEXT_H
#include "../core.h"
#include "../refused.h"
#include "fs-option.h"
#include <fcntl.h>
#include <limits.h>

static inline long set_string(int fs, const char *key, const char *value) {
  return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* Sets `lowerdir=a:b:c` layer by layer (Linux 6.5): a value of fsconfig has at most 255 bytes. On
 * an older kernel, or with an escaped colon in a path, sets it as one. */
static inline long set_layers(int fs, const char *layers) {
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

static inline long set_option(int fs, const char *option) {
  static const char list[] = "lowerdir=";
  size_t n = sizeof list - 1;
  return strncmp(option, list, n) == 0 ? set_layers(fs, option + n) : set_fs_option(fs, option);
}

/* The options of a NUL-terminated list. */
static inline long set_options(int fs, const char *list, uint32_t len) {
  long r = 0;
  for (uint32_t at = 0; r == 0 && at < len; at += (uint32_t)strlen(list + at) + 1)
    r = set_option(fs, list + at);
  return r;
}

static inline int32_t attach_tree(int tree, const char *target) {
  long r = syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
  if (r < 0)
    is_refused(SYS_move_mount);
  return result(r);
}
#endif
