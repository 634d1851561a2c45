/* Whiteouts (image-spec layer.md#whiteouts): entries that remove what earlier layers have. */
#include "layer.h"
#include <stdlib.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
/* Names of AUFS's own files, which no engine unpacks. */
#define AUFS ".wh..wh."

/* Removes what earlier layers have of name: all that this layer has not written. */
static void remove_earlier(int parent, const char *name, const char *path) {
  struct stat st;
  if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) {
    if (errno == ENOENT)
      return;
    fail_call("newfstatat", path);
  }
  bool is_own = written_has(parent, name);
  if (!S_ISDIR(st.st_mode)) {
    if (!is_own && unlinkat(parent, name, 0))
      fail_call("unlinkat", path);
    return;
  }
  int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir < 0)
    fail_call("openat", path);
  each_name(dir, path, remove_earlier);
  /* It stays if this layer has written something below it. */
  if (!is_own && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOTEMPTY && errno != EEXIST)
    fail_call("unlinkat", path);
}

/* Whether the path has a component with the prefix before its last one. */
static bool is_below(const char *path, const char *prefix) {
  for (const char *p = path, *slash; (slash = strchr(p, '/')); p = slash + 1)
    if (has_prefix(p, prefix))
      return true;
  return false;
}

bool whiteout(const char *path) {
  if (is_below(path, AUFS))
    return true;
  if (is_below(path, WHITEOUT))
    fail(LAYER_ERROR_WHITEOUT, 0, path, NULL);
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (!has_prefix(name, WHITEOUT))
    return false;
  bool is_opaque = strcmp(name, OPAQUE) == 0;
  if (!is_opaque && has_prefix(name, AUFS))
    return true;
  const char *target = name + strlen(WHITEOUT);
  if (!*target || strcmp(target, ".") == 0 || strcmp(target, "..") == 0)
    fail(LAYER_ERROR_WHITEOUT, 0, path, NULL);
  int parent = open_parent(path, &name, false);
  if (parent < 0 && (errno == ENOENT || errno == ENOTDIR))
    return true; /* no earlier layer has the directory */
  if (parent < 0)
    fail_call("openat2", path);
  if (is_opaque) {
    int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
      fail_call("openat", path);
    each_name(dir, path, remove_earlier);
  } else {
    remove_earlier(parent, target, path);
  }
  close(parent);
  return true;
}
